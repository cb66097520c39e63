//! Pictures: what reaches the engine, what is kept, what is refused.

use super::*;

#[tokio::test]
async fn every_picture_of_every_turn_reaches_the_engine_in_order_and_leaves_a_receipt() {
    let mut s = scene().await;
    let one = attach(&s.chat, "one.png", png((56, 56), 1)).await;
    let two = attach(&s.chat, "two.png", png((112, 56), 2)).await;
    let plan = s
        .chat
        .plan_prompt(
            "Which?".into(),
            vec![one.id.clone(), two.id.clone()],
            None,
            None,
        )
        .await
        .unwrap();
    assert_eq!(plan.refusal, None);
    assert_eq!(plan.images.len(), 2);
    assert_eq!(plan.images[1].grid.columns, 2, "{plan:?}");
    let planned: Vec<_> = plan.images.iter().map(|image| image.tokens).collect();
    assert!(plan.prompt_tokens_estimate > planned.iter().sum());

    let asked = SendRequest {
        images: vec![one.id.clone(), two.id.clone()],
        ..request("Which is wider?")
    };
    let (sent, _) = send(&s.chat, asked);
    let mut exchange = s.fake.next().await;
    let parts = exchange.body["messages"][0]["content"]
        .as_array()
        .unwrap()
        .clone();
    let sizes: Vec<_> = parts.iter().take(2).map(size_of_part).collect();
    assert_eq!(sizes, [(56, 56), (112, 56)]);
    assert_eq!(parts[2]["text"], "Which is wider?");
    exchange.begin().await;
    exchange.text("The second.").await;
    let used = |tokens: u32, width: u32, columns: u32| json!({"width_px": width, "height_px": 56, "rows": 1, "columns": columns, "tokens": tokens});
    let images = json!({"images": [used(planned[0], 56, 1), used(planned[1] + 1, 112, 2)]});
    exchange.finish("stop", (50, 2), &images).await;
    let first = sent.await.unwrap().unwrap();
    let receipts = &first.assistant.receipts;
    assert_eq!(
        (receipts[0].matches, receipts[1].matches),
        (true, false),
        "{receipts:?}"
    );
    assert_eq!(receipts[1].planned_tokens, Some(planned[1]));
    assert_eq!(receipts[1].seen, ImageSize::new(112, 56));
    assert_eq!(first.conversation.as_ref().unwrap().images, 2);

    // The second question brings a third picture; the model sees all three, the old ones first.
    let three = attach(&s.chat, "three.png", png((56, 112), 3)).await;
    let (sent, _) = send(
        &s.chat,
        SendRequest {
            images: vec![three.id],
            ..after(&first, "And this?")
        },
    );
    let exchange = s.fake.next().await;
    let messages = exchange.body["messages"].as_array().unwrap().clone();
    assert_eq!(messages.len(), 3);
    assert_eq!(size_of_part(&messages[0]["content"][1]), (112, 56));
    assert_eq!(size_of_part(&messages[2]["content"][0]), (56, 112));
    answer(exchange, "It is tall.").await;
    let second = sent.await.unwrap().unwrap();
    assert_eq!(second.assistant.receipts.len(), 3);
    assert!(
        second
            .assistant
            .receipts
            .iter()
            .all(|receipt| !receipt.matches),
        "the engine used none of them"
    );
}

fn size_of_part(part: &Value) -> (u32, u32) {
    use base64::Engine as _;
    let url = part["image_url"]["url"].as_str().unwrap();
    let data = url.strip_prefix("data:image/png;base64,").unwrap();
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(data)
        .unwrap();
    let picture = image::load_from_memory(&bytes).unwrap();
    (picture.width(), picture.height())
}

#[tokio::test]
async fn pictures_are_kept_once_shown_in_every_form_and_survive_a_restart() {
    let mut s = scene().await;
    let bytes = png((300, 200), 9);
    let picture = attach(&s.chat, "photo.png", bytes.clone()).await;
    let same = attach(&s.chat, "copy.png", bytes).await;
    assert_eq!((&picture.id, same.name.as_str()), (&same.id, "copy.png"));
    assert_eq!(
        (picture.format.as_str(), picture.stored, picture.upright),
        ("PNG", ImageSize::new(300, 200), ImageSize::new(300, 200))
    );

    let sizes = |bytes: &[u8]| {
        image::load_from_memory(bytes)
            .map(|picture| (picture.width(), picture.height()))
            .unwrap()
    };
    let full = s
        .chat
        .picture(picture.id.clone(), PictureForm::Full)
        .await
        .unwrap();
    assert_eq!((full.mime, sizes(&full.bytes)), ("image/png", (300, 200)));
    let thumb = s
        .chat
        .picture(picture.id.clone(), PictureForm::Thumb)
        .await
        .unwrap();
    assert_eq!(
        (thumb.mime, sizes(&thumb.bytes)),
        ("image/jpeg", (300, 200))
    );
    // The upright copy and the thumbnail are made again if they are lost.
    let place = s.folder.path().join("data/pictures");
    let place = place
        .join(&picture.id.as_str()[..2])
        .join(&picture.id.as_str()[2..]);
    for derived in ["upright.png", "thumb.jpg"] {
        std::fs::remove_file(place.join(derived)).unwrap();
    }
    for (form, before) in [(PictureForm::Full, &full), (PictureForm::Thumb, &thumb)] {
        let again = s.chat.picture(picture.id.clone(), form).await.unwrap();
        assert_eq!(again.bytes, before.bytes);
    }
    let kept = [place.join("original"), place.join("upright.png")];
    assert!(kept.iter().all(|file| file.is_file()));
    // Where it cannot be kept, it is shown and sent all the same.
    std::fs::remove_file(&kept[1]).unwrap();
    std::fs::create_dir_all(kept[1].join("in the way")).unwrap();
    let form = PictureForm::Full;
    let again = s.chat.picture(picture.id.clone(), form).await.unwrap();
    assert_eq!(again.bytes, full.bytes);
    std::fs::remove_dir_all(&kept[1]).unwrap();
    let plan = s
        .chat
        .plan_prompt(String::new(), vec![picture.id.clone()], None, None)
        .await
        .unwrap();
    let seen = s
        .chat
        .picture(picture.id.clone(), PictureForm::Seen)
        .await
        .unwrap();
    let canvas = plan.images[0].canvas;
    assert_eq!(sizes(&seen.bytes), (canvas.width_px, canvas.height_px));

    let asked = SendRequest {
        images: vec![picture.id.clone()],
        ..request("What is it?")
    };
    let outcome = turn(&mut s, asked, "A picture.").await;
    s.chat
        .save_draft(
            Some(outcome.assistant.conversation_id),
            "half a thou".into(),
            vec![picture.id.clone()],
        )
        .await
        .unwrap();
    s.chat
        .save_draft(None, "a new idea".into(), vec![])
        .await
        .unwrap();
    s.chat.shutdown().await;
    drop(s.chat);

    let chat = open(s.folder.path(), &s.fake.program(s.folder.path())).await;
    let view = chat
        .open_conversation(outcome.assistant.conversation_id)
        .await
        .unwrap();
    let Part::Image { image } = &view.messages[0].parts[0] else {
        panic!("{view:?}")
    };
    assert_eq!(
        (&image.id, image.size),
        (&picture.id, ImageSize::new(300, 200))
    );
    assert_eq!(
        chat.picture(picture.id.clone(), PictureForm::Full)
            .await
            .unwrap()
            .bytes,
        full.bytes
    );
    assert_eq!(
        (view.draft.text.as_str(), view.draft.images[0].id.clone()),
        ("half a thou", picture.id)
    );
    assert_eq!(chat.load_draft(None).await.unwrap().text, "a new idea");
}

#[tokio::test]
async fn files_that_are_no_pictures_are_refused_with_a_sentence_and_nothing_is_kept() {
    let s = scene().await;
    let mut cut = png((400, 400), 1);
    for (byte, noise) in (0u32..).zip(cut.iter_mut().skip(60)) {
        *noise ^= (byte % 7) as u8;
    }
    let whole = png((64, 64), 1);
    let cases = [
        ("empty.png", Vec::new()),
        ("text.png", b"Dear diary, this is not a picture.".to_vec()),
        ("cut.png", whole[..whole.len() / 2].to_vec()),
        ("noise.png", cut),
    ];
    for (name, bytes) in cases {
        match s.chat.attach(name.into(), bytes).await {
            AttachOutcome::Refused {
                name: refused,
                failure,
            } => {
                assert_eq!(refused, name);
                assert!(
                    failure.code.starts_with("image") && failure.message.ends_with('.'),
                    "{failure:?}"
                );
                assert!(
                    !failure.code.contains('_') && !failure.next_step.is_empty(),
                    "{failure:?}"
                );
            }
            AttachOutcome::Attached { .. } => panic!("{name} was taken"),
        }
    }
    for (path, code) in [
        (s.folder.path().join("nothing here.png"), "fileNotFound"),
        (s.folder.path().to_owned(), "folder"),
    ] {
        let AttachOutcome::Refused { failure, .. } = s.chat.attach_file(path).await else {
            panic!()
        };
        assert_eq!(failure.code, code);
    }
    for name in ["../demo-model/config", "nothing", ""] {
        let AttachOutcome::Refused { failure, .. } = s.chat.attach_sample(name.into()).await else {
            panic!()
        };
        assert_eq!(failure.code, "noSample");
    }
    for name in ["red-circle", "square-and-star", "shapes"] {
        assert!(
            matches!(
                s.chat.attach_sample(name.into()).await,
                AttachOutcome::Attached { .. }
            ),
            "{name}"
        );
    }
}

#[tokio::test]
async fn an_engine_that_answers_without_having_seen_the_picture_is_not_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let mut fake = FakeEngine::start().await;
    let config = AskConfig {
        decoder_program: env!("CARGO_BIN_EXE_decode-worker").into(),
        engine_program: fake.program(folder.path()),
        engine_builds: paddock_devices::EngineBuilds::default(),
        model: resources().join("demo-model"),
        model_label: ModelLabel {
            id: ModelId::demo(),
            name: "Demo".into(),
            quant: "none".into(),
            place: "this computer".into(),
        },
        device: DevicePreference::Auto,
        quant: "none".into(),
        context_tokens: None,
        threads: None,
    };
    let question = |images| AskRequest {
        question: "What is it?".into(),
        images,
        system_prompt: String::new(),
        temperature: 0.0,
        max_tokens: None,
    };
    let asked = question(vec![("a.png".to_owned(), png((56, 56), 1))]);
    let asked = tokio::spawn(ask(config.clone(), asked, |_| {
        std::ops::ControlFlow::Continue(())
    }));
    let mut exchange = fake.next().await;
    exchange.begin().await;
    exchange.text("A cat, certainly.").await;
    exchange.finish("stop", (10, 2), &json!({})).await;
    let outcome = asked.await.unwrap().unwrap();
    assert_eq!(outcome.text, "A cat, certainly.");
    assert_eq!(outcome.finish_reason, FinishReason::Failed);
    assert_eq!(outcome.failure.unwrap().code, "imageNotUsed");

    let bad = question(vec![("b.png".to_owned(), b"no picture".to_vec())]);
    let error = ask(config.clone(), bad, |_| std::ops::ControlFlow::Continue(()))
        .await
        .unwrap_err();
    assert!(
        error.is_bad_input() && error.to_string().starts_with("b.png: "),
        "{error}"
    );
    assert_eq!(
        pids(folder.path()).len(),
        1,
        "no engine was started for a bad picture"
    );
}

#[tokio::test]
async fn another_page_of_a_file_is_a_picture_of_its_own() {
    let s = scene().await;
    let intake = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/images/intake");
    let bytes = std::fs::read(intake.join("pages.pdf")).unwrap();
    let first = attach(&s.chat, "report.pdf", bytes.clone()).await;
    let pages = first.pages.clone().unwrap();
    assert_eq!(
        (&pages.file, pages.number, pages.unit.as_str()),
        (&first.id, 1, "page")
    );
    assert!(pages.total > 1);

    let page = |of: &Attachment, number| {
        let (chat, of) = (s.chat.clone(), of.id.clone());
        async move { chat.attach_page(of, number).await }
    };
    let AttachOutcome::Attached { attachment: second } = page(&first, 2).await else {
        panic!("page 2 was refused")
    };
    assert_ne!(second.id, first.id);
    assert_eq!(second.name, "report.pdf");
    assert_eq!(second.pages.as_ref().unwrap().number, 2);
    assert!(second.notes[0].contains("page 2 of"), "{:?}", second.notes);
    for form in [PictureForm::Full, PictureForm::Thumb] {
        let (one, two) = (
            s.chat.picture(first.id.clone(), form).await.unwrap(),
            s.chat.picture(second.id.clone(), form).await.unwrap(),
        );
        assert_ne!(one.bytes, two.bytes);
    }
    // Back from there is the first picture again.
    let AttachOutcome::Attached { attachment: again } = page(&second, 1).await else {
        panic!("page 1 was refused")
    };
    assert_eq!(again, first);
    for number in [0, pages.total + 1, u32::MAX] {
        let AttachOutcome::Refused { failure, name } = page(&first, number).await else {
            panic!("page {number} was taken")
        };
        assert_eq!(name, "report.pdf");
        assert!(!failure.next_step.is_empty(), "{failure}");
    }

    // Who keeps no files is not offered what would need them.
    let value = false;
    s.chat
        .change_settings(None, vec![SettingsChange::KeepOriginals { value }])
        .await
        .unwrap();
    let gif = std::fs::read(intake.join("animated.gif")).unwrap();
    let frame = attach(&s.chat, "cat.gif", gif).await;
    assert_eq!(frame.pages, None);
    // Without the file, what is made of it is kept at once.
    let pictures = s.folder.path().join("data/pictures");
    let place = pictures.join(&frame.id.as_str()[..2]);
    let place = place.join(&frame.id.as_str()[2..]);
    let kept = ["original", "upright.png", "thumb.jpg"].map(|name| place.join(name).is_file());
    assert_eq!(kept, [false, true, true]);
    let AttachOutcome::Refused { failure, .. } = page(&frame, 2).await else {
        panic!("a frame of a file that was not kept was taken")
    };
    assert_eq!(failure.code, "originalNotKept");
}
