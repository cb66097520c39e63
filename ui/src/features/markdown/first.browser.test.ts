import { expect, it } from "vitest";

import { open } from "../../test/window";

it("opens", async () => {
  const page = await open();
  expect(document.activeElement).toBe(page.id("composer-input"));
  await page.close();
});
