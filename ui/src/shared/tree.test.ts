import { expect, it } from "vitest";
import type { Message } from "./contract";
import { messageOf } from "./message";
import { branch, leaf, versions } from "./tree";

const message = (id: string, parent: string | null): Message =>
  messageOf({ id, parent_id: parent, role: id.startsWith("q") ? "user" : "assistant" });

const tree = [
  message("q1", null),
  message("a1", "q1"),
  message("q2", "a1"),
  message("a2", "q2"),
  message("a1b", "q1"),
  message("q1b", null),
];
const ids = (messages: Message[]): string[] => messages.map(({ id }) => id);

it("follows a branch from its head to the start", () => {
  expect(ids(branch(tree, "a2"))).toEqual(["q1", "a1", "q2", "a2"]);
  expect(branch(tree, null)).toEqual([]);
});

it("does not hang on a circle", () => {
  expect(branch([message("a", "b"), message("b", "a")], "a").length).toBeLessThanOrEqual(3);
  expect(leaf([message("a", "b"), message("b", "a")], "a")).toBeTruthy();
});

it("finds the versions of a message, also of the first", () => {
  expect(ids(versions(tree, tree[1] as Message))).toEqual(["a1", "a1b"]);
  expect(ids(versions(tree, tree[0] as Message))).toEqual(["q1", "q1b"]);
});

it("goes to the end of the branch that was chosen", () => {
  expect(leaf(tree, "q1b")).toBe("q1b");
  expect(leaf(tree, "q2")).toBe("a2");
});
