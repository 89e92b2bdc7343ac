/** The properties of our resources that may hold what is secret, or known only by the update, such as the name of a new namespace. */
export const structuredProperties = {
  cutover: ["router", "probes", "hooks", "cluster"],
  snapshot: ["namespace", "specs", "cluster"],
} as const;
