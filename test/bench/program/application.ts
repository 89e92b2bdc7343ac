/** What is deployed so many times, whichever way. */
export interface Application {
  readonly namespace: string;
  readonly image: string;
  /** The node that its Pod goes to. */
  readonly node: string;
}

export const port = 8080;

/** Where its Pod runs. */
export function placement(node: string) {
  return {
    nodeSelector: { "kubernetes.io/hostname": node },
    tolerations: [{ key: "bascule.dev/pretend", operator: "Exists", effect: "NoSchedule" }],
  };
}
