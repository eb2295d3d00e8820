import { afterEach, expect, it } from "vitest";
import { restoreDraft, withFiles, type Sent } from "./draft";

const file = { id: "file_1", name: "plan.pdf", media_type: "application/pdf" };
const sent = (text: string): Sent => ({ key: "key_1", question: { text, file_ids: ["file_1"] }, files: [file] });
const kept = (slot: string): string => sessionStorage.getItem(slot) ?? "";
const keptSent = (): Sent => JSON.parse(kept("frontdesk.sent.conv_1")) as Sent;

afterEach(() => sessionStorage.clear());

it("a question that comes back is the same question, with its key and its files", () => {
  restoreDraft("conv_1", sent("Do you open"));
  expect(kept("frontdesk.draft.conv_1")).toBe("Do you open");
  expect(withFiles(keptSent(), [file])).toEqual(sent("Do you open"));
});

it("together with what has been written since it is another question", () => {
  sessionStorage.setItem("frontdesk.draft.conv_1", "on Sundays?");
  restoreDraft("conv_1", sent("Do you open"));
  expect(kept("frontdesk.draft.conv_1")).toBe("Do you open\n\non Sundays?");
  expect(keptSent().question.text).toBe("Do you open\n\non Sundays?");
  expect(keptSent().key).not.toBe("key_1");
});

it("with other files it is another question", () => {
  expect(withFiles(sent("Do you open"), [])).toBeNull();
});
