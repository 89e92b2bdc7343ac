export { measureHttp, type HttpPlace, type TlsMaterial } from "./measure-http.ts";
export { judgeLag, measureLag } from "./measure-lag.ts";
export { measureTcp, type TcpPlace } from "./measure-tcp.ts";
