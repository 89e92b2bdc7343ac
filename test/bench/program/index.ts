import * as pulumi from "@pulumi/pulumi";

const config = new pulumi.Config();

// Only what the stack needs is loaded, so that the plain one does not pay for Bascule.
const { declare } =
  config.require("kind") === "bascule" ? await import("./with-bascule.ts") : await import("./plain.ts");

const count = config.requireNumber("count");
for (let index = 1; index <= count; index++) {
  declare(`app-${index}`, {
    namespace: config.require("namespace"),
    image: config.require("image"),
    node: config.require("node"),
  });
}
