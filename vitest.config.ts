import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// Unit tests read the packages' sources, so that no build has to come first. The tests that start Pulumi load what is published.
const alias = [
  {
    find: /^@bascule\/(core|engine|probes|mirror|pulumi|kubernetes)$/,
    replacement: source("packages/$1/src/index.ts"),
  },
  { find: "@bascule/kubernetes/provider", replacement: source("packages/kubernetes/src/provider.ts") },
];

export default defineConfig({
  test: {
    projects: [
      {
        resolve: { alias },
        test: {
          name: "unit",
          // Pulumi keeps the text of a component's provider, so components are tested as they are published, untransformed.
          server: { deps: { external: [/\/packages\/kubernetes\/dist\//] } },
          include: [
            "packages/*/src/**/*.test.ts",
            "test/rig/src/**/*.test.ts",
            "test/bench/src/**/*.test.ts",
            "test/*.test.ts",
            "test/verification/**/*.test.ts",
          ],
          exclude: ["**/*.e2e.test.ts", "**/node_modules/**"],
        },
      },
      {
        resolve: { alias },
        test: { name: "conformance", include: ["test/conformance/**/*.test.ts"] },
      },
      {
        test: {
          name: "e2e",
          include: ["**/*.e2e.test.ts"],
          exclude: ["**/node_modules/**"],
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 1_800_000,
        },
      },
      {
        test: {
          name: "faults",
          include: ["**/*.faults.test.ts"],
          exclude: ["**/node_modules/**"],
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 1_800_000,
        },
      },
    ],
  },
});
