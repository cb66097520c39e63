//! Downloads one repository and says so: a program that a test can kill.
//! `hub-download ENDPOINT REPOSITORY FOLDER`
//!
//! Outside: everything that the hub crate does not do itself.

use std::sync::Arc;

use paddock_hub::{Hub, HubOptions, ModelsFolder, Progress, Throttle, download_repository, survey};

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut next = || {
        arguments
            .next()
            .expect("an endpoint, a repository, a folder")
    };
    let (endpoint, repository, folder) = (next(), next(), next());
    let hub = Hub::new(HubOptions {
        endpoint,
        part_bytes: 64 << 10,
        ..HubOptions::default()
    })
    .expect("an endpoint");
    let reference = repository.parse().expect("a repository");
    let models = ModelsFolder::new(&folder);
    let plan = survey(&hub, &reference, models.path())
        .await
        .expect("a repository")
        .plan;
    let throttle = Arc::new(Throttle::new(None));
    match download_repository(&hub, &plan, &models, throttle, &Progress::default()).await {
        Ok(path) => {
            println!("{}", path.display());
            std::process::ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}", error.failure());
            std::process::ExitCode::FAILURE
        }
    }
}
