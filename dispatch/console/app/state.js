// What this page knows at the moment, shared by its parts; and the word that something of it has changed. Nothing is drawn or said here.

import { ServerClock } from "./clock.js";
import { Inbox } from "./inbox.js";
import { Trial } from "./trial.js";

export const it = {
  settings: null, // of this installation
  account: null,
  client: null,
  inbox: new Inbox(),
  clock: new ServerClock(),
  link: { state: "idle", retryAt: 0, stopped: null },
  changing: null, // the availability that was asked for and is not confirmed yet
  installer: null, // the browser's offer to install
  newer: false, // a newer version of the page lies ready
  pushing: { address: null, busy: false, problem: "" },
  asked: new Map(), // commands of this page: id -> { type, proposal }
  notes: new Map(), // proposal -> what stays written on its card
  trial: new Trial(),
};

/** Nothing of who was here before stays. */
export function anew() {
  [it.inbox, it.trial] = [new Inbox(), new Trial()];
  it.notes.clear();
}

let drawer = () => {};
let due = 0;

/** Who draws the screen. */
export const drawnBy = (draws) => (drawer = draws);

/** Something has changed: everything is drawn, once for all that changes in this turn. */
export function draw() {
  due ||= setTimeout(() => {
    due = 0;
    drawer();
  });
}
