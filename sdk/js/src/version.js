// The version of the engine that this client was written with.
export const VERSION = "0.1.0";
