import { BlueGreenDeployment, http } from "@bascule/kubernetes";
import * as pulumi from "@pulumi/pulumi";

const config = new pulumi.Config();

const web = new BlueGreenDeployment("web", {
  container: {
    image: config.get("image") ?? "bascule.local/web:1",
    port: 8080,
    env: [{ name: "VERSION", value: config.get("version") ?? "v1" }],
  },
  replicas: 2,
  verify: [http("/healthz", { expect: { status: 200, latencyMs: 500 } })],
});

export const address = web.address;
export const journal = web.journal;
