import * as kubernetes from "@pulumi/kubernetes";
import { placement, port, type Application } from "./application.ts";

/** A Deployment and a Service, with the same Pod as the release has. */
export function declare(name: string, { namespace, image, node }: Application): void {
  const labels = { "app.kubernetes.io/name": name };
  const deployment = new kubernetes.apps.v1.Deployment(name, {
    metadata: { name, namespace, labels },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          ...placement(node),
          automountServiceAccountToken: false,
          securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
          containers: [
            {
              name,
              image,
              env: [{ name: "VERSION", value: "v1" }],
              ports: [{ name: "main", containerPort: port }],
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
              resources: { requests: { cpu: "50m", memory: "64Mi" } },
              readinessProbe: { tcpSocket: { port }, periodSeconds: 1 },
            },
          ],
        },
      },
    },
  });
  new kubernetes.core.v1.Service(
    name,
    {
      metadata: { name, namespace, labels },
      spec: { selector: labels, ports: [{ name: "main", port: 80, targetPort: port }] },
    },
    // The engine does only so much at once: Services that wait for their endpoints must not keep the Deployments from their turn.
    { dependsOn: [deployment] },
  );
}
