import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// Three builds into one folder: chat and sign-in run on Preact, the console on React, the widget on Preact's core alone.
// Radix does not work under preact/compat, so they never share a bundle.
const preact = {
  "react/jsx-runtime": "preact/jsx-runtime",
  "react-dom/client": "preact/compat/client",
  "react-dom": "preact/compat",
  react: "preact/compat",
};

const core = { "react/jsx-runtime": "preact/jsx-runtime", react: "preact/hooks" };

const aliases: Record<string, Record<string, string>> = { console: {}, widget: core };

const entries: Record<string, Record<string, string>> = {
  chat: { chat: here("index.html"), "sign-in": here("sign-in.html") },
  console: { console: here("console.html") },
  widget: {
    widget: here("widget.html"),
    "widget-demo": here("widget-demo.html"),
    loader: here("src/widget/loader.ts"),
  },
};

export default defineConfig(({ mode }) => ({
  resolve: { alias: aliases[mode] ?? preact },
  build: {
    outDir: here("../src/frontdesk/pages"),
    emptyOutDir: mode === "chat",
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 650, // kB as written; what is sent is held gzipped, by a benchmark
    rolldownOptions: {
      input: entries[mode] ?? {},
      // The loader is a script that other sites name: it has no hash, and imports nothing.
      output: { entryFileNames: ({ name }) => (name === "loader" ? "widget/loader.js" : "assets/[name]-[hash].js") },
      // Radix marks its files "use client" for servers that render React; there is none here.
      onLog: (level, log, report) => log.code === "MODULE_LEVEL_DIRECTIVE" || report(level, log),
    },
  },
  test: { environment: "jsdom", include: ["src/**/*.test.ts"] },
}));
