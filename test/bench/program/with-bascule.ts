import { BlueGreenDeployment, tcp } from "@bascule/kubernetes";
import { placement, port, type Application } from "./application.ts";

/** One release with every default but the hold. */
export function declare(name: string, { namespace, image, node }: Application): void {
  new BlueGreenDeployment(name, {
    namespace,
    container: { image, port, env: [{ name: "VERSION", value: "v1" }] },
    podTemplate: { spec: placement(node) },
    replicas: 1,
    holdMs: 0,
    verify: [tcp()],
  });
}
