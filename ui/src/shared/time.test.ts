import { describe, expect, it } from "vitest";
import { ago, lasting, secondsSince } from "./time";

const NOW = Date.parse("2026-03-02T09:30:00Z");

describe("times", () => {
  it("are told as one would say them", () => {
    expect(ago("2026-03-02T09:29:50Z", NOW)).toBe("now");
    expect(ago("2026-03-02T06:30:00Z", NOW)).toBe("3 hours ago");
    expect(ago("2026-03-03T09:30:00Z", NOW)).toBe("tomorrow");
  });

  it("last in their largest unit", () => {
    expect(lasting(4.2)).toBe("4 sec");
    expect(lasting(60)).toBe("1 min");
    expect(lasting(7200)).toBe("2 hr");
    expect(lasting(secondsSince("2026-03-01T09:30:00Z", NOW))).toBe("1 day");
  });

  it("that a slow clock puts into the future last nothing", () => {
    expect(secondsSince("2026-03-02T09:30:05Z", NOW)).toBe(0);
  });
});
