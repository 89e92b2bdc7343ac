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
     * The sources are vendored in a scratch folder, the files of the module's folder `_vendor` are put over them, and the build reads
     * from there: for a published module that lacks files, or whose packages cannot all be had. Default false.
     */
    readonly isVendored?: boolean;
  };
}
