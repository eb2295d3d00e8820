import { expect, it } from "vitest";
import { composer } from "./composer";

it("takes back what could not be sent, before what has been written since", () => {
  const nothing = (): void => undefined;
  const { field, restore } = composer({ type: nothing, send: nothing, stop: nothing });
  restore("Do you open");
  expect(field.value).toBe("Do you open");
  field.value = "on Sundays?";
  restore("Do you open");
  expect(field.value).toBe("Do you open\non Sundays?");
});
