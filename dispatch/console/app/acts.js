// What he does: with a proposal, with his settings, with this device.

import { Stopped, TakenBack } from "/sdk/index.js";
import { askReason, askReport, askTimes, errorOf } from "./answers.js";
import { answerTo } from "./proposals.js";
import * as push from "./push.js";
import { draw, it } from "./state.js";
import { tell } from "./status.js";
import * as trial from "./trial.js";
import { speech } from "./words.js";

const PATIENCE = { timeoutMs: 30_000 };

/** The answer arrives as an event, also after the page was loaded anew; what was never sent is told by the promise alone. */
function command({ proposal }, say) {
  it.notes.delete(proposal);
  say().catch((problem) => {
    if (problem instanceof TakenBack || problem instanceof Stopped || it.notes.has(proposal)) return;
    it.notes.set(proposal, errorOf(problem));
    draw();
  });
  draw();
}

/** `leaves()`: he signs out. */
export const acts = (leaves) => ({
  accept: (proposal, window) => command(proposal, () => it.client.accept(proposal, { window })),
  refuse: async (proposal) => {
    const said = await askReason();
    if (said) command(proposal, () => it.client.refuse(proposal, said));
  },
  counter: async (proposal) => {
    const said = await askTimes(proposal, it.account.zone, it.clock.now());
    if (said) command(proposal, () => it.client.counter(proposal, said));
  },
  report: async (proposal) => {
    const said = await askReport();
    if (said) await report(proposal, said);
  },
  takeBack: ({ proposal }) => {
    const waiting = answerTo({ proposal }, it.client.pending);
    if (waiting && it.client.takeBack(waiting.id)) tell(speech.words.taken_back);
  },
  dismiss: ({ proposal }) => {
    it.inbox.dismiss(proposal);
    draw();
    document.getElementById("proposals-title").focus();
  },
  setAvailable: (available) => {
    it.changing = available;
    it.client
      ?.status({ available }, PATIENCE)
      .then(() => it.account.note({ available, paused: false }))
      .catch((problem) => tell(problem.message, true))
      .finally(() => {
        it.changing = null;
        draw();
      });
    draw();
  },
  setPush: async (on) => {
    const { address } = it.pushing;
    it.pushing = { ...it.pushing, busy: true, problem: "" };
    draw();
    it.pushing = await push.switched(on, it.settings, it.pushing, speech.words.push_failed);
    if (it.pushing.address !== address) it.client?.setPush(it.pushing.address);
    draw();
  },
  test: () => trial.send(it, draw),
  install: async () => {
    await it.installer.prompt();
    it.installer = null;
    draw();
  },
  leave: async () => {
    await push.unsubscribe().catch(() => {});
    it.account.forget();
    leaves();
  },
});

/** Ops are told; the proposal stays what it is. */
async function report(proposal, said) {
  const { words } = speech;
  try {
    const { outcome } = await it.client.report(proposal, { ...said, ...PATIENCE });
    tell(outcome === "done" ? words.report_sent : words.report_unknown, outcome !== "done");
  } catch (problem) {
    if (!(problem instanceof TakenBack || problem instanceof Stopped)) tell(errorOf(problem), true);
  }
}
