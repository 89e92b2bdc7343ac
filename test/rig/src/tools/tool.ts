/** A program that the rig needs, and the ways to get it. */
export interface Tool {
  readonly name: string;
  readonly version: string;
  /** How to ask a program on the PATH for its version; its output must contain `version`. Absent: the PATH is not asked. */
  readonly versionArguments?: readonly string[];
  /** The official release. */
  readonly download?: {
    readonly url: string;
    /** A file of lines `<sha256>  <name>`, or only the checksum, that the release publishes. */
    readonly checksumUrl: string;
    /** The program's path inside the archive; absent when the download is the program. */
    readonly member?: string;
  };
  /** A Go module under `go/`, whose go.sum pins every source. */
  readonly build?: {
    readonly module: string;
    readonly package: string;
    readonly linkerFlags: string;
    readonly environment?: Readonly<Record<string, string>>;
    /**
     * Files that the published module lacks and its packages embed, by their path under `vendor`. Present: the sources are vendored
     * in a scratch folder, these files are added, and the build reads from there.
     */
    readonly vendorWith?: Readonly<Record<string, string>>;
  };
}
