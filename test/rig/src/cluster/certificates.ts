import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";

/** Who a certificate is for, as Kubernetes reads it. */
interface Subject {
  readonly name: string;
  readonly commonName: string;
  readonly organization?: string;
  readonly alternativeNames?: readonly string[];
}

/** Makes the cluster's own authority and every certificate in the folder, as `<name>.crt` and `<name>.key`, valid for a year. */
export async function makeCertificates(folder: string, nodeName: string, addresses: readonly string[]): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const authority = { key: join(folder, "ca.key"), certificate: join(folder, "ca.crt") };
  await openssl([
    "req",
    "-x509",
    ...newKey,
    "-keyout",
    authority.key,
    "-out",
    authority.certificate,
    "-days",
    "365",
    "-subj",
    "/CN=bascule-rig",
    "-addext",
    "keyUsage=critical,keyCertSign,digitalSignature",
  ]);
  const names = [
    ...addresses.map((address) => `IP:${address}`),
    "DNS:kubernetes",
    "DNS:kubernetes.default",
    "DNS:kubernetes.default.svc",
    "DNS:localhost",
    `DNS:${nodeName}`,
  ];
  const subjects: readonly Subject[] = [
    { name: "apiserver", commonName: "kube-apiserver", alternativeNames: names },
    { name: "kubelet", commonName: `system:node:${nodeName}`, organization: "system:nodes", alternativeNames: names },
    { name: "apiserver-kubelet-client", commonName: "kube-apiserver-kubelet-client", organization: "system:masters" },
    { name: "admin", commonName: "bascule-admin", organization: "system:masters" },
    { name: "controller-manager", commonName: "system:kube-controller-manager" },
    { name: "scheduler", commonName: "system:kube-scheduler" },
    { name: "proxy", commonName: "system:kube-proxy" },
  ];
  await Promise.all(subjects.map((subject) => sign(folder, authority, subject)));
  await openssl([
    "genpkey",
    "-algorithm",
    "RSA",
    "-pkeyopt",
    "rsa_keygen_bits:2048",
    "-out",
    join(folder, "service-account.key"),
  ]);
}

/** Makes one more user's certificate in the folder of an authority that {@link makeCertificates} has made. */
export async function makeClientCertificate(
  folder: string,
  user: { readonly name: string; readonly commonName: string },
): Promise<void> {
  await sign(folder, { key: join(folder, "ca.key"), certificate: join(folder, "ca.crt") }, user);
}

const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

async function sign(folder: string, authority: { key: string; certificate: string }, subject: Subject): Promise<void> {
  const file = (ending: string) => join(folder, `${subject.name}.${ending}`);
  const distinguishedName = `${subject.organization ? `/O=${subject.organization}` : ""}/CN=${subject.commonName}`;
  await openssl(["req", ...newKey, "-keyout", file("key"), "-out", file("csr"), "-subj", distinguishedName]);
  const extensions = ["keyUsage=critical,digitalSignature", "extendedKeyUsage=serverAuth,clientAuth"];
  if (subject.alternativeNames) extensions.push(`subjectAltName=${subject.alternativeNames.join(",")}`);
  await writeFile(file("ext"), extensions.join("\n"));
  await openssl([
    "x509",
    "-req",
    "-in",
    file("csr"),
    "-CA",
    authority.certificate,
    "-CAkey",
    authority.key,
    "-set_serial",
    `0x${Buffer.from(subject.name).toString("hex").slice(0, 30)}`,
    "-days",
    "365",
    "-extfile",
    file("ext"),
    "-out",
    file("crt"),
  ]);
}

async function openssl(parameters: readonly string[]): Promise<void> {
  await execa("openssl", parameters, { timeout: 30_000 });
}
