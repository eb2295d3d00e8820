import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// Two builds into one folder: chat and sign-in run on Preact, the console on React. Radix does not work under
// preact/compat, so the two never share a bundle.
const preact = {
  "react/jsx-runtime": "preact/jsx-runtime",
  "react-dom/client": "preact/compat/client",
  "react-dom": "preact/compat",
  react: "preact/compat",
};

const entries: Record<string, Record<string, string>> = {
  chat: { chat: here("index.html"), "sign-in": here("sign-in.html") },
  console: { console: here("console.html") },
};

export default defineConfig(({ mode }) => ({
  resolve: { alias: mode === "console" ? {} : preact },
  build: {
    outDir: here("../src/frontdesk/pages"),
    emptyOutDir: mode !== "console",
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: entries[mode] ?? {},
      // Radix marks its files "use client" for servers that render React; there is none here.
      onLog: (level, log, report) => log.code === "MODULE_LEVEL_DIRECTIVE" || report(level, log),
    },
  },
  test: { environment: "jsdom", include: ["src/**/*.test.ts"] },
}));
