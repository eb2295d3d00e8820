import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { call } from "./api";

const REFRESH = "/api/v1/auth/refresh";
const refusal = (where: string | null = null): Response =>
  Response.json({ error: { code: "not_signed_in", message: "No", where, hint: "" } }, { status: 401 });

/** A desk whose session has run out until somebody refreshes it. */
let isFresh = false;
let asked: string[] = [];

beforeEach(() => {
  isFresh = false;
  asked = [];
  vi.stubGlobal("fetch", async (path: string) => {
    asked.push(path);
    await Promise.resolve();
    if (path === "/password") return refusal("current");
    if (path !== REFRESH) return isFresh ? Response.json({ path }) : refusal();
    isFresh = true;
    return Response.json({});
  });
});

afterEach(() => vi.unstubAllGlobals());

const refreshes = (): number => asked.filter((path) => path === REFRESH).length;

describe("an expired session", () => {
  it("is refreshed once for calls at the same time", async () => {
    const answers = await Promise.all(["/a", "/b", "/c"].map((path) => call<{ path: string }>(path)));
    expect(answers.map(({ path }) => path)).toEqual(["/a", "/b", "/c"]);
    expect(refreshes()).toBe(1);
  });

  it("is left alone when another tab has refreshed it while this one waited", async () => {
    const names: string[] = [];
    const request = (name: string, work: () => Promise<Response>): Promise<Response> => {
      names.push(name);
      isFresh = true;
      return work();
    };
    vi.stubGlobal("navigator", { locks: { request } });
    expect(await call("/a")).toEqual({ path: "/a" });
    expect(names).toEqual(["fd-refresh"]);
    expect(refreshes()).toBe(0);
  });

  it("is not what a wrong password means", async () => {
    await expect(call("/password")).rejects.toMatchObject({ code: "not_signed_in", where: "current" });
    expect(asked).toEqual(["/password"]);
  });
});
