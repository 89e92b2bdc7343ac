import js from "@eslint/js";
import { defineConfig, globalIgnores } from "eslint/config";
import typescript from "typescript-eslint";

export default defineConfig(
  globalIgnores(["**/dist/", "**/coverage/", "**/.bascule/"]),
  { linterOptions: { reportUnusedDisableDirectives: "error", reportUnusedInlineConfigs: "error" } },
  js.configs.recommended,
  {
    files: ["**/*.ts"],
    extends: [typescript.configs.strictTypeChecked, typescript.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: {
        // The tests, the stacks and the configuration belong to the second; a package's own project leaves its tests out.
        project: ["packages/*/tsconfig.json", "test/tsconfig.json"],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "inline-type-imports" }],
      "@typescript-eslint/no-unused-vars": ["error", { ignoreRestSiblings: true, argsIgnorePattern: "^_" }],
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      // A number or a boolean reads the same in a message as in the code.
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/no-empty-function": ["error", { allow: ["arrowFunctions"] }],
      // An empty text means the same as none where it is used.
      "@typescript-eslint/prefer-nullish-coalescing": ["error", { ignorePrimitives: { string: true } }],
      "@typescript-eslint/only-throw-error": ["error", { allowThrowingUnknown: true }],
      // It takes what it saw before an `await` for still true after it, such as `signal.aborted`.
      "@typescript-eslint/no-unnecessary-condition": "off",
      // The Kubernetes client declares plain data as classes.
      "@typescript-eslint/no-unsafe-class-instance-assignment": "off",
      // Spreading a text gives its code points, which is what an excerpt is cut by.
      "@typescript-eslint/no-misused-spread": "off",
      // A port is asynchronous by its contract, also where one way to fill it has nothing to wait for: it then rejects and never throws.
      "@typescript-eslint/require-await": "off",
    },
  },
  {
    // An example is a project of its own, whose packages are installed elsewhere.
    files: ["examples/**/*.ts"],
    extends: [typescript.configs.disableTypeChecked],
    languageOptions: { parserOptions: { project: false } },
  },
);
