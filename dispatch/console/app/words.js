// Everything the page says, in French and in English.

import { TRIAL } from "./trial_words.js";
import { WISHES } from "./wishes_words.js";

const WORDS = {
  en: {
    skip: "Skip to the page",
    app: "Dispatch Pro",
    other_language: "Français",
    // -- the door
    door: "Sign in",
    door_text: "Paste the link or the code that your marketplace gave you",
    door_dev: "Development: be any provider of this engine.",
    market: "Market",
    provider: "Provider",
    enter: "Enter",
    bad_link: "There is no code in it. Copy the whole link.",
    ran_out: "Your code has run out. Ask your marketplace for a new link.",
    bad_token: "This code is not, or no longer, good here. Ask your marketplace for a new link.",
    elsewhere: "Sign in at your marketplace, then open this page again. Or:",
    no_provider: (detail) => `Nobody was let in: ${detail}`,
    // -- the connection
    live: "Connected",
    connecting: "Connecting…",
    offline: "No network",
    waiting: (seconds) => (seconds > 1 ? `Reconnecting in ${seconds} s` : "Reconnecting…"),
    stopped: "Stopped",
    stopped_4502: "This page is too old for the server. Reload it.",
    stopped_4503: "This page is open elsewhere on this device. That one receives your proposals.",
    stopped_4504: "You are connected on too many devices. Leave one of them, then come back here.",
    stopped_4505: "Your account is blocked. Ask your marketplace why.",
    stopped_other: (reason) => `The server let this page go: ${reason}`,
    again: "Connect here",
    away: "What you see is what was known last. Your answers are sent as soon as the network is back.",
    off: "You are switched off: no proposal is sent to you.",
    paused: "Proposals are paused, as several stayed without an answer.",
    switch_on: "Receive proposals",
    // -- proposals
    proposals: "Proposals",
    bookings: "My bookings",
    bookings_tab: "Bookings",
    settings: "Settings",
    none_on: "Nothing for now. New proposals appear here by themselves.",
    none_off: "Switched off. Nothing is sent to you.",
    fresh: (what, where) => `New proposal: ${what}, ${where}`,
    bonus: "Bonus",
    direct: "For you",
    known_client: "You know this client",
    test: "A test, no booking",
    where: "Where",
    when: "When",
    choose: "Which time suits you?",
    distance: (text) => `${text} away`,
    near: (text) => `less than ${text} away`,
    somewhere: "area on the map",
    map: (names) => `Map of the areas: ${names}. The exact address is told to who gets the booking.`,
    visits_map: (names) => `Map of your visits: ${names}.`,
    answer_in: (time) => `Answer within ${time}`,
    still_open: (time) => `Still open, but others are asked too. Ends in ${time}`,
    ended: "Over",
    accept: "Accept",
    accept_at: (time) => `Accept ${time}`,
    refuse: "Refuse",
    counter: "Another time",
    sending: "Being sent…",
    queued: "Will be sent when you are connected.",
    take_back: "Undo",
    taken_back: "Undone. Nothing was sent.",
    deciding: "Sent. Who gets it is decided in a moment.",
    dismiss: "Remove",
    // -- no longer available
    gone: "No longer available",
    gone_taken: "Another professional took it.",
    gone_lost: "Another professional was faster.",
    gone_cancelled: "The client cancelled.",
    gone_expired: "The time to answer is over.",
    gone_changed: "The booking has changed.",
    gone_overlap: "It overlaps with a booking that you hold.",
    gone_ops: "The marketplace took it back.",
    gone_answered_elsewhere: "You answered it on another device.",
    gone_not_asked: "You are no longer asked for it.",
    gone_already_yours: "It is yours already.",
    gone_away: "It ended while you were away.",
    gone_other: (reason) => `Reason: ${reason}.`,
    // -- answers
    won: (what) => `It is yours: ${what}. The address is in your bookings.`,
    refused: "Refused. That costs you nothing.",
    tested: "Your answer has arrived. This was only a test.",
    version_conflict: "The booking has changed meanwhile. Look at it again before you answer.",
    sent: "Your times were sent to the client.",
    limit: "You have proposed other times too often for now.",
    too_late: "It is too late to propose another time.",
    server_says: (message) => `The server did not take it. Its answer: “${message}”`,
    unavailable: "The server could not answer. Try again in a moment.",
    limited: "Too much at once. Try again in a moment.",
    counter_state: {
      held: "Your other times wait until the others have answered.",
      shown: "Your other times are before the client.",
      accepted: "The client took one of your times.",
      declined: "The client declined your other times.",
      expired: "Your other times have expired.",
      withdrawn: "Your other times were withdrawn.",
    },
    // -- refusing
    refuse_title: "Refuse this proposal?",
    refuse_text: "A refusal never costs you anything. A reason helps to ask you better; it is not required.",
    reason: "Reason",
    back: "Back",
    reasons: {
      "": "No reason",
      not_free: "I am not free then",
      too_far: "Too far",
      price_too_low: "The price is too low",
      not_my_service: "I do not do this",
      other: "Something else",
    },
    reason_other_text: "In your words",
    // -- reporting
    report: "Report a problem",
    report_title: "Report a problem",
    report_text: "Is something wrong with this proposal, or with its client? The marketplace looks at it. It costs you nothing, and you may still answer.",
    report_words: "What is wrong?",
    report_missing: "Say what is wrong.",
    report_send: "Report",
    report_sent: "Reported. Somebody will look at it.",
    report_unknown: "This proposal is not known any more: nothing was reported.",
    // -- another time
    counter_title: "Propose another time",
    counter_text: "Up to five times at which you would come. Meanwhile the search goes on.",
    time_number: (number) => `Time ${number}`,
    until: (time) => `until ${time}`,
    add_time: "Add a time",
    remove_time: (number) => `Remove time ${number}`,
    note: "Note for the client (optional)",
    counter_send: "Propose",
    time_missing: "Choose a day and an hour for each time.",
    time_past: "Choose times that are still to come.",
    time_twice: "The same time stands there twice.",
    // -- bookings
    no_bookings: "No booking yet. What you win appears here, with the address.",
    address: "Address",
    client: "Client",
    directions: "Open in maps",
    booking_cancelled: (what) => `${what}: this booking was cancelled.`,
    booking_changed: (what) => `${what}: this booking has changed.`,
    booking_left: (what) => `${what}: this booking is no longer yours.`,
    // -- settings
    available: "Receive proposals",
    available_text: "Off: nobody asks you, on any device. What you hold stays yours.",
    quiet: "Do not disturb",
    quiet_none: "No hours set.",
    quiet_hours: (from, to) => `Every day from ${from} to ${to} nothing new is sent to you.`,
    push: "Notifications",
    push_text: "Be told of a proposal when this page is closed.",
    push_denied: "Blocked in the browser. Allow notifications for this page there.",
    push_failed: (reason) => `That did not work: ${reason}`,
    install: "Install",
    install_text: "Put this page among your apps.",
    install_do: "Install",
    leave: "Sign out",
    leave_text: "Forgets you on this device. No proposals are received here then.",
    on: "on",
    off_short: "off",
    newer: "There is a newer version of this page.",
    reload: "Reload",
  },
  fr: {
    skip: "Aller à la page",
    app: "Dispatch Pro",
    other_language: "English",
    door: "Connexion",
    door_text: "Collez le lien ou le code donné par votre plateforme",
    door_dev: "Développement : soyez n’importe quel pro de ce moteur.",
    market: "Marché",
    provider: "Pro",
    enter: "Entrer",
    bad_link: "Il ne contient pas de code. Copiez le lien entier.",
    ran_out: "Votre code a expiré. Demandez un nouveau lien à votre plateforme.",
    bad_token: "Ce code n’est pas, ou plus, valable ici. Demandez un nouveau lien à votre plateforme.",
    elsewhere: "Connectez-vous à votre plateforme, puis rouvrez cette page. Ou bien :",
    no_provider: (detail) => `Connexion refusée : ${detail}`,
    live: "Connecté",
    connecting: "Connexion…",
    offline: "Pas de réseau",
    waiting: (seconds) => (seconds > 1 ? `Reconnexion dans ${seconds} s` : "Reconnexion…"),
    stopped: "Arrêté",
    stopped_4502: "Cette page est trop ancienne pour le serveur. Rechargez-la.",
    stopped_4503: "Cette page est ouverte ailleurs sur cet appareil. C’est là que vos propositions arrivent.",
    stopped_4504: "Vous êtes connecté sur trop d’appareils. Quittez-en un, puis revenez ici.",
    stopped_4505: "Votre compte est bloqué. Demandez pourquoi à votre plateforme.",
    stopped_other: (reason) => `Le serveur a coupé cette page : ${reason}`,
    again: "Se connecter ici",
    away: "Vous voyez ce qui était connu en dernier. Vos réponses partiront dès le retour du réseau.",
    off: "Vous êtes en pause : aucune proposition ne vous est envoyée.",
    paused: "Les propositions sont suspendues : plusieurs sont restées sans réponse.",
    switch_on: "Recevoir des propositions",
    proposals: "Propositions",
    bookings: "Mes réservations",
    bookings_tab: "Réservations",
    settings: "Réglages",
    none_on: "Rien pour l’instant. Les propositions apparaissent ici d’elles-mêmes.",
    none_off: "En pause. Rien ne vous est envoyé.",
    fresh: (what, where) => `Nouvelle proposition : ${what}, ${where}`,
    bonus: "Bonus",
    direct: "Pour vous",
    known_client: "Vous connaissez ce client",
    test: "Un essai, pas une réservation",
    where: "Où",
    when: "Quand",
    choose: "Quel horaire vous convient ?",
    distance: (text) => `à ${text}`,
    near: (text) => `à moins de ${text}`,
    somewhere: "secteur sur la carte",
    map: (names) => `Carte des secteurs : ${names}. L’adresse exacte est donnée à qui obtient la réservation.`,
    visits_map: (names) => `Carte de vos visites : ${names}.`,
    answer_in: (time) => `Réponse attendue sous ${time}`,
    still_open: (time) => `Toujours ouverte, d’autres sont aussi sollicités. Fin dans ${time}`,
    ended: "Terminée",
    accept: "Accepter",
    accept_at: (time) => `Accepter ${time}`,
    refuse: "Refuser",
    counter: "Autre horaire",
    sending: "Envoi…",
    queued: "Partira dès que vous serez connecté.",
    take_back: "Annuler",
    taken_back: "Annulé. Rien n’a été envoyé.",
    deciding: "Envoyé. L’attribution se décide dans un instant.",
    dismiss: "Retirer",
    gone: "Plus disponible",
    gone_taken: "Un autre professionnel l’a prise.",
    gone_lost: "Un autre professionnel a été plus rapide.",
    gone_cancelled: "Le client a annulé.",
    gone_expired: "Le délai de réponse est passé.",
    gone_changed: "La réservation a changé.",
    gone_overlap: "Elle chevauche une de vos réservations.",
    gone_ops: "La plateforme l’a retirée.",
    gone_answered_elsewhere: "Vous avez répondu sur un autre appareil.",
    gone_not_asked: "Elle ne vous est plus proposée.",
    gone_already_yours: "Elle est déjà à vous.",
    gone_away: "Elle s’est terminée pendant votre absence.",
    gone_other: (reason) => `Motif : ${reason}.`,
    won: (what) => `Elle est à vous : ${what}. L’adresse est dans vos réservations.`,
    refused: "Refusée. Cela ne vous coûte rien.",
    tested: "Votre réponse est arrivée. Ce n’était qu’un essai.",
    version_conflict: "La réservation a changé entre-temps. Relisez-la avant de répondre.",
    sent: "Vos horaires ont été envoyés au client.",
    limit: "Vous avez déjà proposé trop d’autres horaires pour l’instant.",
    too_late: "Il est trop tard pour proposer un autre horaire.",
    server_says: (message) => `Le serveur ne l’a pas pris. Sa réponse : « ${message} »`,
    unavailable: "Le serveur n’a pas pu répondre. Réessayez dans un instant.",
    limited: "Trop de demandes à la fois. Réessayez dans un instant.",
    counter_state: {
      held: "Vos horaires attendent que les autres aient répondu.",
      shown: "Vos horaires sont devant le client.",
      accepted: "Le client a choisi un de vos horaires.",
      declined: "Le client a décliné vos horaires.",
      expired: "Vos horaires ont expiré.",
      withdrawn: "Vos horaires ont été retirés.",
    },
    refuse_title: "Refuser cette proposition ?",
    refuse_text: "Un refus ne vous coûte jamais rien. Un motif aide à mieux vous solliciter ; il n’est pas obligatoire.",
    reason: "Motif",
    back: "Retour",
    reasons: {
      "": "Sans motif",
      not_free: "Je ne suis pas libre",
      too_far: "Trop loin",
      price_too_low: "Le prix est trop bas",
      not_my_service: "Je ne fais pas cela",
      other: "Autre chose",
    },
    reason_other_text: "Avec vos mots",
    report: "Signaler un problème",
    report_title: "Signaler un problème",
    report_text: "Quelque chose ne va pas avec cette proposition, ou avec son client ? La plateforme s’en occupe. Cela ne vous coûte rien, et vous pouvez toujours répondre.",
    report_words: "Qu’est-ce qui ne va pas ?",
    report_missing: "Dites ce qui ne va pas.",
    report_send: "Signaler",
    report_sent: "Signalé. Quelqu’un va regarder.",
    report_unknown: "Cette proposition n’est plus connue : rien n’a été signalé.",
    counter_title: "Proposer un autre horaire",
    counter_text: "Jusqu’à cinq horaires auxquels vous viendriez. La recherche continue pendant ce temps.",
    time_number: (number) => `Horaire ${number}`,
    until: (time) => `jusqu’à ${time}`,
    add_time: "Ajouter un horaire",
    remove_time: (number) => `Retirer l’horaire ${number}`,
    note: "Mot pour le client (facultatif)",
    counter_send: "Proposer",
    time_missing: "Choisissez un jour et une heure pour chaque horaire.",
    time_past: "Choisissez des horaires à venir.",
    time_twice: "Le même horaire y est deux fois.",
    no_bookings: "Aucune réservation pour l’instant. Celles que vous obtenez apparaissent ici, avec l’adresse.",
    address: "Adresse",
    client: "Client",
    directions: "Ouvrir dans les cartes",
    booking_cancelled: (what) => `${what} : cette réservation est annulée.`,
    booking_changed: (what) => `${what} : cette réservation a changé.`,
    booking_left: (what) => `${what} : cette réservation n’est plus à vous.`,
    available: "Recevoir des propositions",
    available_text: "Désactivé : personne ne vous sollicite, sur aucun appareil. Vos réservations restent à vous.",
    quiet: "Ne pas déranger",
    quiet_none: "Aucune plage définie.",
    quiet_hours: (from, to) => `Chaque jour de ${from} à ${to}, rien de nouveau ne vous est envoyé.`,
    push: "Notifications",
    push_text: "Être prévenu d’une proposition quand cette page est fermée.",
    push_denied: "Bloquées dans le navigateur. Autorisez-y les notifications de cette page.",
    push_failed: (reason) => `Cela n’a pas marché : ${reason}`,
    install: "Installer",
    install_text: "Mettre cette page parmi vos applications.",
    install_do: "Installer",
    leave: "Se déconnecter",
    leave_text: "Vous oublie sur cet appareil. Les propositions n’y arriveront plus.",
    on: "oui",
    off_short: "non",
    newer: "Il y a une version plus récente de cette page.",
    reload: "Recharger",
  },
};

for (const more of [WISHES, TRIAL]) for (const [language, words] of Object.entries(more)) Object.assign(WORDS[language], words);

export const LANGUAGES = Object.keys(WORDS);

export const speech = { language: "en", words: WORDS.en };

/** The first of the browser's languages that is spoken here. */
export const preferred = (languages) => languages.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => tag in WORDS) ?? "en";

export const wordsOf = (language) => WORDS[language] ?? WORDS.en;

/** Chooses the language and writes every element that has `data-word`. */
export function speak(language) {
  speech.language = language in WORDS ? language : "en";
  speech.words = WORDS[speech.language];
  document.documentElement.lang = speech.language;
  for (const element of document.querySelectorAll("[data-word]")) element.textContent = speech.words[element.dataset.word];
}

const locale = () => (speech.language === "fr" ? "fr-FR" : "en-GB");

/** What is asked for, by the names in the market's catalogue. */
export function services(codes, names) {
  const named = codes.map((code) => names?.[code]?.[speech.language] || names?.[code]?.fr || names?.[code]?.en || code.replaceAll("_", " "));
  const text = named.join(", ");
  return text.charAt(0).toLocaleUpperCase(locale()) + text.slice(1);
}

export const money = (cents, currency) =>
  new Intl.NumberFormat(locale(), { style: "currency", currency, minimumFractionDigits: cents % 100 ? 2 : 0, maximumFractionDigits: 2 }).format(cents / 100);

/** A distance: `800 m`, `2.3 km`. */
export function distance(metres) {
  const options = { style: "unit", unitDisplay: "short", maximumFractionDigits: 1 };
  const far = metres >= 1_000;
  return new Intl.NumberFormat(locale(), { ...options, unit: far ? "kilometer" : "meter" }).format(far ? metres / 1_000 : metres);
}

/** A moment on the market's clock; `options` as of Intl.DateTimeFormat. */
export const moment = (ms, zone, options) => new Intl.DateTimeFormat(locale(), { timeZone: zone, ...options }).format(ms);

export const hour = (ms, zone) => moment(ms, zone, { hour: "2-digit", minute: "2-digit" });

/** A window: `Tue 24 November, 10:00 – 11:00`. */
export function span({ start, end }, zone) {
  const day = moment(start, zone, { weekday: "short", day: "numeric", month: "long" });
  return `${day}, ${hour(start, zone)} – ${hour(end, zone)}`;
}

/** How long something took: `0.4 s`. */
export const seconds = (ms) => new Intl.NumberFormat(locale(), { style: "unit", unit: "second", unitDisplay: "short", maximumFractionDigits: 1 }).format(Math.max(0, ms) / 1_000);

/** What is left of a time: `4:05`, `1 h 20`, `2 d`. */
export function left(ms) {
  const seconds = Math.max(0, Math.ceil(ms / 1_000));
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3_600)];
  if (minutes < 60) return `${minutes}:${String(seconds % 60).padStart(2, "0")}`;
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")}`;
  return `${Math.round(hours / 24)} ${speech.language === "fr" ? "j" : "d"}`;
}
