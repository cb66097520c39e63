// The window as people use it, in a real browser on the simulated backend: where the keyboard is, what scrolls, what is heard.
import { emit } from "@tauri-apps/api/event";
import axe from "axe-core";
import { flushSync } from "svelte";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { page as browser } from "vitest/browser";

import { pace, seed } from "../dev/talk";
import { open, press, type, until, type Page } from "./window";

let page: Page;
beforeAll(() => seed(500, 2000, true));
beforeEach(async () => {
  pace.wordMs = 1;
  page = await open();
});
afterEach(async () => {
  await page.close();
  document.documentElement.style.removeProperty("--zoom");
});

const composer = () => page.find<HTMLTextAreaElement>("[data-testid='composer-input']");
const search = () => page.find<HTMLInputElement>("#search");
const frames = async (count = 2) => {
  for (let frame = 0; frame < count; frame++) await new Promise(requestAnimationFrame);
  flushSync();
};

async function ask(text: string, whole = true): Promise<void> {
  const before = page.all("[data-testid='message-assistant']").length;
  type(composer(), text);
  press("Enter", {}, composer());
  if (!whole) return;
  await until(() => page.all("[data-testid='message-assistant']").length > before && page.all("[data-testid='stop']").length === 0, "the answer");
}

/** The one that has all the messages. */
async function openLong(): Promise<HTMLElement> {
  (await until(() => page.all("[data-testid='conversation-item']").find((item) => item.textContent?.trim() === "Conversation 1"), "the list")).click();
  await until(() => page.all("[data-testid='message-assistant']").at(-1)?.textContent?.includes("Answer 1000"), "the last answer");
  await frames(4);
  return page.id("messages");
}
const toEnd = (scroller: HTMLElement) => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;

describe("the keyboard", () => {
  it("stays where one types when an answer ends", async () => {
    pace.wordMs = 20;
    await ask("story", false);
    await until(() => page.all("[data-testid='stop']")[0], "the answer to begin");
    search().focus();
    await until(() => page.all("[data-testid='stop']").length === 0, "the answer to end");
    await frames();
    expect(document.activeElement).toBe(search());
  });

  it("is in the composer after a new conversation, after one was opened, and after the settings", async () => {
    await ask("Hello");
    page.id("new-chat").focus();
    page.id("new-chat").click();
    await until(() => document.activeElement === composer(), "the composer after a new conversation");
    const item = await until(() => page.all("[data-testid='conversation-item']")[0], "a conversation");
    item.focus();
    item.click();
    await until(() => document.activeElement === composer(), "the composer after opening");
    press(",", { ctrlKey: true });
    (await until(() => page.all("[data-testid='settings-close']")[0], "the settings")).click();
    await until(() => document.activeElement === composer(), "the composer after the settings");
  });

  it("goes to the composer from anywhere, but not from another field", async () => {
    composer().blur();
    press("a", {}, document.body);
    await frames();
    expect(document.activeElement).toBe(composer());
    search().focus();
    press("a", {}, search());
    await frames();
    expect(document.activeElement).toBe(search());
  });

  it("edits the last question by the arrow up, and keeps what was changed", async () => {
    await ask("Hello");
    press("ArrowUp", {}, composer());
    const field = await until(() => page.all("[data-testid='message-user'] textarea")[0] as HTMLTextAreaElement | undefined, "the field");
    expect(document.activeElement).toBe(field);
    type(field, "Hello again");
    page.id("new-chat").click();
    const item = await until(() => page.all("[data-testid='conversation-item']")[0], "the conversation");
    item.click();
    const again = await until(() => page.all("[data-testid='message-user'] textarea")[0] as HTMLTextAreaElement | undefined, "the field again");
    expect(again.value).toBe("Hello again");
    press("Escape", {}, again);
    await until(() => document.activeElement === composer(), "the composer");
  });

  it("edits the last question also when a long answer has moved it out of sight", async () => {
    for (let turn = 0; turn < 2; turn++) await ask("markdown");
    press("ArrowUp", {}, composer());
    const field = await until(() => page.all("[data-testid='message-user'] textarea")[0], "the field");
    await frames(4);
    expect(document.activeElement).toBe(field);
    expect(field.getBoundingClientRect().top).toBeGreaterThanOrEqual(page.id("messages").getBoundingClientRect().top - 8);
    press("Escape", {}, field);
  });

  it("goes on after another version was chosen", async () => {
    await ask("Hello");
    page.id("regenerate").click();
    await until(() => page.find("[data-testid='messages']").textContent?.includes("2 / 2"), "the second version");
    const arrow = page.find<HTMLButtonElement>("[data-version='previous']");
    arrow.focus();
    arrow.click();
    await until(() => page.find("[data-testid='messages']").textContent?.includes("1 / 2"), "the first version");
    expect(document.activeElement?.getAttribute("data-version")).toBe("next");
  });

  it("comes to the pill and the composer in a few stops, whatever is listed", async () => {
    await ask("Hello");
    const stops = page.all("button, input, textarea, select, a[href], [tabindex='0']").filter((one) => one.tabIndex >= 0 && !(one as HTMLButtonElement).disabled && one.offsetParent !== null);
    const between = stops.indexOf(page.id("model-pill")) - stops.indexOf(search());
    expect(between).toBeLessThanOrEqual(4);
    expect(stops.indexOf(composer()) - stops.indexOf(page.id("model-pill"))).toBeLessThanOrEqual(4);
  });

  it("walks through the list, also where it was not drawn before", async () => {
    search().focus();
    press("ArrowDown", {}, search());
    await until(() => document.activeElement?.getAttribute("data-testid") === "conversation-item", "the first one");
    press("End");
    await until(() => document.activeElement?.textContent?.includes("Conversation 500"), "the last one");
  });

  it("finds shortcuts by ?, and what is behind a dialog takes no keys", async () => {
    composer().blur();
    press("?", {}, document.body);
    await until(() => page.all("[data-testid='shortcuts']")[0], "the shortcuts");
    press(",", { ctrlKey: true });
    press("n", { ctrlKey: true });
    await frames();
    expect(page.all("[data-testid='settings-close']")).toEqual([]);
    page.find<HTMLDialogElement>("dialog").close();
    await until(() => page.all("dialog").length === 0, "the end of the dialog");
  });

  it("zooms the text and keeps it", async () => {
    press("+", { ctrlKey: true });
    flushSync();
    expect(getComputedStyle(document.documentElement).fontSize).toBe("17.6px");
    expect(localStorage.getItem("paddock.zoom")).toBe("1.1");
    press("0", { ctrlKey: true });
    flushSync();
    expect(getComputedStyle(document.documentElement).fontSize).toBe("16px");
  });
});

describe("a long conversation", () => {
  it("opens at its end with few elements, and its pictures move nothing", async () => {
    const scroller = await openLong();
    expect(document.querySelectorAll("*").length).toBeLessThan(3000);
    await until(() => page.all("[data-testid='message-user'] img").every((image) => (image as HTMLImageElement).complete), "the pictures");
    await frames(4);
    expect(toEnd(scroller)).toBeLessThanOrEqual(2);
  });

  it("is paged through from the composer", async () => {
    const scroller = await openLong();
    press("PageUp", {}, composer());
    await until(() => toEnd(scroller) > 300, "the page before");
    await frames(4);
    expect(toEnd(scroller)).toBeGreaterThan(300);
    expect(document.activeElement).toBe(composer());
  });

  it("does not jump while one scrolls up", async () => {
    const scroller = await openLong();
    let jumps = 0;
    for (let step = 0; step < 40; step++) {
      const mark = page.all("[data-message]").find((one) => one.getBoundingClientRect().top > scroller.getBoundingClientRect().top + 100);
      const before = mark?.getBoundingClientRect().top ?? 0;
      scroller.dispatchEvent(new WheelEvent("wheel", { deltaY: -100, bubbles: true }));
      scroller.scrollTop -= 100;
      await frames(3);
      if (mark?.isConnected && Math.abs(mark.getBoundingClientRect().top - before - 100) > 2) jumps++;
    }
    expect(jumps).toBe(0);
  });

  it("is left with the smallest step, and followed again at its end", async () => {
    const scroller = await openLong();
    pace.wordMs = 15;
    await ask("story", false);
    await until(() => page.all("[data-testid='stop']")[0] && toEnd(scroller) <= 2 && page.all("[data-testid='answer-text']").at(-1)?.textContent?.includes("red circle"), "the answer to be followed");
    for (let step = 0; step < 3; step++) {
      scroller.dispatchEvent(new WheelEvent("wheel", { deltaY: -4, bubbles: true }));
      scroller.scrollTop -= 4;
      await frames();
    }
    expect(toEnd(scroller)).toBeGreaterThanOrEqual(10);
    page.id("jump").click();
    await until(() => toEnd(scroller) <= 2, "the end");
    await until(() => page.all("[data-testid='stop']").length === 0, "the answer to be whole");
    await frames(3);
    expect(toEnd(scroller)).toBeLessThanOrEqual(2);
  });
});

describe("after a dialog", () => {
  it("the keyboard is where it was, or where one types", async () => {
    const pill = page.id("model-pill");
    pill.focus();
    pill.click();
    (await until(() => page.all("dialog")[0] as HTMLDialogElement | undefined, "the picker")).close();
    await until(() => document.activeElement === pill, "the pill again");
    pill.click();
    (await until(() => page.all("[data-testid='model-option'][aria-selected='true']")[0], "the model in use")).click();
    await until(() => document.activeElement === composer(), "the composer after a choice");
    await until(() => page.all("dialog").length === 0, "the end of the picker");
    await frames();
    expect(document.activeElement).toBe(composer());
  });
});

describe("parts of the window", () => {
  it("are gone through by F6", async () => {
    await ask("Hello");
    const seen = new Set<string>();
    for (let step = 0; step < 4; step++) {
      press("F6", {}, document.activeElement ?? document.body);
      const region = document.activeElement?.closest("[data-region]");
      seen.add(region?.getAttribute("aria-label") ?? region?.className.split(" ")[0] ?? "");
    }
    expect([...seen].sort()).toEqual(["Conversations", "Messages", "foot"]);
  });

  it("are as large as fingers and pointers need", async () => {
    await ask("Hello");
    (await until(() => page.all(".samples button, [data-testid='attach']")[0], "a way to add a picture")).click();
    await until(() => page.all("[data-testid='chip']")[0], "the picture");
    const small = page
      .all("button, select, input")
      .filter((one) => one.offsetParent !== null && getComputedStyle(one).opacity !== "0")
      .map((one) => ({ name: one.getAttribute("aria-label") ?? one.textContent, box: one.getBoundingClientRect() }))
      .filter(({ box }) => box.width > 0 && (box.width < 24 || box.height < 24));
    expect(small.map(({ name, box }) => `${name} ${box.width} × ${box.height}`)).toEqual([]);
    page.id("chip-remove").click();
  });
});

describe("a picture, a dialog, a toast", () => {
  it("Esc ends choosing a part before it closes the viewer", async () => {
    (await until(() => page.all(".samples button")[0], "the samples")).click();
    await until(() => page.all("[data-testid='chip']").length === 1, "the picture");
    page.all(".samples button")[1]?.click();
    await until(() => page.id("chip").textContent?.includes("square-and-star") && page.all("[data-testid='chip']").length === 1, "the other picture instead");
    page.find<HTMLButtonElement>("[data-testid='chip'] .picture").click();
    const viewer = await until(() => page.all("[data-testid='look']")[0] as HTMLDialogElement | undefined, "the viewer");
    press("p", {}, viewer);
    const cancel = new Event("cancel", { cancelable: true });
    viewer.dispatchEvent(cancel);
    expect(cancel.defaultPrevented).toBe(true);
    expect(viewer.open).toBe(true);
    viewer.close();
    await until(() => page.all("[data-testid='look']").length === 0, "the end of the viewer");
    page.id("chip-remove").click();
    flushSync();
    type(composer(), "");
  });

  it("says what went wrong inside the dialog that is open, where it can be reached", async () => {
    press("l", { ctrlKey: true });
    await until(() => page.all("dialog")[0], "the picker");
    window.dispatchEvent(new ErrorEvent("error", { error: new Error("Something broke") }));
    flushSync();
    expect(page.all("dialog [data-testid='toast']")).toHaveLength(1);
    page.find<HTMLDialogElement>("dialog").close();
    await until(() => page.all("dialog").length === 0, "the end of the picker");
    const toast = page.id("toast").getBoundingClientRect();
    const send = page.id("send").getBoundingClientRect();
    expect(toast.bottom).toBeLessThan(send.top);
    page.find("[data-testid='toast'] button").click();
  });

  it("never shows one repository's files under another's name", async () => {
    page.id("models-open").click();
    const lines = await until(() => (page.all("[data-testid='catalogue-line'][data-line]").length > 3 ? page.all("[data-testid='catalogue-line'][data-line]") : null), "the catalogue");
    lines[0]?.click();
    (await until(() => page.all("[data-testid='look-up']")[0], "the card")).click();
    await until(() => page.all("[data-testid='download']")[0], "what it would bring");
    const first = page.id("get-card").textContent;
    press("Escape", {}, document.body);
    (await until(() => page.all("[data-testid='catalogue-line'][data-line]")[1], "the list again")).click();
    const card = await until(() => page.all("[data-testid='get-card']")[0], "the other card");
    expect(card.textContent).not.toBe(first);
    expect(page.all("[data-testid='download']")).toEqual([]);
    page.all("[data-testid='models-close']")[0]?.click();
    flushSync();
    page.all("[data-testid='models-close']")[0]?.click();
    flushSync();
  });

  it("asks before a link is opened, with its host set apart, however it is pressed", async () => {
    await ask("markdown");
    const link = await until(() => page.all("[data-testid='answer-text'] a")[0], "a link");
    for (const kind of ["click", "auxclick"]) {
      const event = new MouseEvent(kind, { bubbles: true, cancelable: true, button: kind === "click" ? 0 : 1 });
      link.dispatchEvent(event);
      flushSync();
      expect(event.defaultPrevented).toBe(true);
      expect(page.id("link-host").textContent).toBe("example.com");
      page.find<HTMLDialogElement>("dialog").close();
      await until(() => page.all("dialog").length === 0, "the end of the question");
    }
  });
});

describe("a narrow window", () => {
  afterEach(() => browser.viewport(1120, 800));

  it("has the list over the page, and Esc or a press beside it closes it", async () => {
    const list = () => page.find("aside[aria-label='Conversations']");
    await browser.viewport(500, 800);
    await until(() => list().hidden, "the list to make room");
    press("b", { ctrlKey: true }, document.body);
    await until(() => !list().hidden, "the list");
    expect(page.find("main").inert).toBe(true);
    press("Escape", {}, document.body);
    await until(() => list().hidden, "Esc to close it");
    press("b", { ctrlKey: true }, document.body);
    (await until(() => page.all("button.beside")[0], "the page beside it")).click();
    await until(() => list().hidden, "the press to close it");
    expect(page.find("main").inert).toBe(false);
  });

  it("keeps every button of the viewer inside", async () => {
    await browser.viewport(420, 800);
    (await until(() => page.all(".samples button")[0], "the samples")).click();
    (await until(() => page.all("[data-testid='chip'] .picture")[0], "the picture")).click();
    const viewer = await until(() => page.all("[data-testid='look']")[0] as HTMLDialogElement | undefined, "the viewer");
    await frames();
    for (const button of viewer.querySelectorAll("button")) {
      const { left, right } = button.getBoundingClientRect();
      expect([left >= 0, right <= window.innerWidth], button.getAttribute("aria-label") ?? button.textContent ?? "").toEqual([true, true]);
    }
    viewer.close();
    await until(() => page.all("[data-testid='look']").length === 0, "the end of the viewer");
    page.id("chip-remove").click();
    type(composer(), "");
  });
});

describe("many refusals", () => {
  it("leave the composer in the window, and go by one press", async () => {
    const drop = (name: string, code: number) => ({ kind: "refused", name, failure: { code: `code${code}`, message: `Reason ${code} for which it cannot be used.`, nextStep: "Choose another file." } });
    await emit("drop", { kind: "reading" });
    await emit("drop", { kind: "dropped", outcomes: Array.from({ length: 12 }, (_, place) => drop(`file ${place}.xyz`, place)) });
    await until(() => page.all("[data-testid='refusals'] [data-testid='error-card']").length === 12, "the reasons");
    expect(page.id("send").getBoundingClientRect().bottom).toBeLessThan(window.innerHeight);
    page.all("button").find((button) => button.textContent === "Dismiss all")?.click();
    await until(() => page.all("[data-testid='refusals']").length === 0, "them to go");
  });
});

describe("an answer that is being written", () => {
  it("says so when Enter comes too early, and sends nothing", async () => {
    pace.wordMs = 30;
    await ask("story", false);
    await until(() => page.all("[data-testid='stop']")[0], "the answer to begin");
    type(composer(), "and then?");
    press("Enter", {}, composer());
    await until(() => page.find("form.composer").textContent?.includes("still being written"), "the words");
    expect(composer().value).toBe("and then?");
    page.id("stop").click();
    await until(() => page.all("[data-testid='stop']").length === 0, "the end");
    type(composer(), "");
  });

  it("shows what a model thinks while it does, and afterwards how long it did", async () => {
    pace.wordMs = 25;
    await ask("markdown", false);
    const block = await until(() => page.all("[data-testid='reasoning']")[0], "the thinking");
    expect(block.querySelector("button")?.getAttribute("aria-expanded")).toBe("true");
    await until(() => page.all("[data-testid='reasoning'] button")[0]?.textContent?.startsWith("Thought for"), "how long it took");
    expect(page.find("[data-testid='reasoning'] button").getAttribute("aria-expanded")).toBe("false");
    page.id("stop").click();
    await until(() => page.all("[data-testid='stop']").length === 0, "the end");
  });
});

describe("an answer that could not be saved", () => {
  it("offers to be copied until it is saved", async () => {
    const copied: string[] = [];
    const clipboard = vi.spyOn(navigator.clipboard, "writeText").mockImplementation(async (text) => void copied.push(text));
    await ask("Hello on a full disk");
    const card = await until(() => page.all("[data-testid='message-assistant'] [data-testid='error-card']")[0], "the reason");
    const button = card.querySelector("button");
    expect(button?.textContent).toBe("Copy");
    button?.click();
    await until(() => card.querySelector("button")?.textContent === "Copied", "it to be copied");
    expect(copied[0]).toContain("Hello! I am Paddock demo");
    await ask("Hello again");
    await until(() => page.all("[data-testid='message-assistant'] [data-testid='error-card']").length === 0, "the reason to go");
    clipboard.mockRestore();
  });
});

describe("the settings", () => {
  it("change how the chosen model is loaded, and copy the diagnostics", async () => {
    const copied: string[] = [];
    const clipboard = vi.spyOn(navigator.clipboard, "writeText").mockImplementation(async (text) => void copied.push(text));
    press(",", { ctrlKey: true });
    const quant = (await until(() => page.all("[data-testid='quant-select']")[0], "the settings")) as HTMLSelectElement;
    await until(() => [...quant.options].some((option) => option.value === "q4k"), "the quantisations");
    const choose = (select: HTMLSelectElement, value: string) => {
      select.value = value;
      select.dispatchEvent(new Event("change", { bubbles: true }));
      flushSync();
    };
    choose(quant, "q4k");
    page.id("settings-close").click();
    flushSync();
    press(",", { ctrlKey: true });
    await until(() => (page.all("[data-testid='quant-select']")[0] as HTMLSelectElement | undefined)?.value === "q4k", "what was chosen");
    page.id("copy-diagnostics").click();
    await until(() => page.all("[data-testid='toast']").some((toast) => toast.textContent?.includes("Private parts are left out")), "the words");
    expect(copied).toEqual(["Paddock, simulated: nothing to diagnose."]);
    clipboard.mockRestore();
    choose(page.find<HTMLSelectElement>("[data-testid='quant-select']"), "none");
    page.id("settings-close").click();
    flushSync();
  });
});

describe("those who hear the window", () => {
  it("hear a new answer once and in words, and nothing of an old one", async () => {
    const said: string[] = [];
    const watcher = new MutationObserver(() => said.push(page.id("announcer").textContent ?? ""));
    watcher.observe(page.id("announcer"), { childList: true, characterData: true, subtree: true });
    await ask("markdown");
    await until(() => said.some((text) => text.includes("A short tour")), "the answer to be said");
    expect(said.join("\n")).not.toMatch(/\*\*|<think>|^\|/m);
    await until(() => page.id("announcer").textContent === "", "the words to go");
    said.length = 0;
    page.id("new-chat").click();
    (await until(() => page.all("[data-testid='conversation-item']")[0], "the conversation")).click();
    await until(() => page.all("[data-testid='message-assistant']").length > 0, "the old answer");
    await frames(4);
    expect(said.filter(Boolean)).toEqual([]);
    watcher.disconnect();
  });

  it.each(["light", "dark"])("find nothing wrong by axe, %s", async (theme) => {
    const check = async (what: string) => {
      document.documentElement.dataset.theme = theme;
      await frames();
      await Promise.all(document.getAnimations().flatMap((one) => (one instanceof CSSTransition ? [one.finished] : [])));
      const { violations } = await axe.run(document, { rules: { region: { enabled: false } } });
      expect(violations.map(({ id, nodes }) => `${what}: ${id} ${nodes.map((node) => node.html.slice(0, 160)).join(" ; ")}`)).toEqual([]);
    };
    await check("empty");
    await ask("markdown");
    await until(() => page.all(".katex").length > 0, "the formulas");
    await check("answer");
    press("l", { ctrlKey: true });
    await until(() => page.all("[data-testid='model-option']")[0], "the picker");
    await check("picker");
    page.find<HTMLDialogElement>("dialog").close();
    await until(() => page.all("dialog").length === 0, "the end of the picker");
    press(",", { ctrlKey: true });
    await until(() => page.all("[data-testid='settings-close']")[0], "the settings");
    await check("settings");
    page.id("models-open").click();
    await until(() => page.all("[data-testid='catalogue-line']")[0], "the models");
    await check("models");
    page.all("[data-testid='catalogue-line'][data-line]")[0]?.click();
    await until(() => page.all("[data-testid='fit-bar']")[0], "the fit");
    await check("fit");
    page.id("models-close").click();
    flushSync();
    page.id("models-close").click();
    flushSync();
  });
});
