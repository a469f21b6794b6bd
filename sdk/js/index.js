// A provider's device, in a browser or in Node. See index.d.ts.

export { DeviceClient } from "./src/client.js";
export { pauseMs } from "./src/closes.js";
export { DispatchError, Refused, Stopped, TakenBack, Unavailable } from "./src/errors.js";
