/** The cluster's own networks. They exist only inside its namespaces, and on this host as routes while it runs. */
export const addresses = {
  nodeName: "bascule",
  hostInterface: "bascule0",
  host: "10.88.77.1",
  node: "10.88.77.2",
  linkPrefix: 30,
  apiPort: 6443,
  gatewayPort: 80,
  podNetwork: "10.244.0.0/16",
  nodePodNetwork: "10.244.0.0/24",
  serviceNetwork: "10.96.0.0/16",
  kubernetesService: "10.96.0.1",
} as const;
