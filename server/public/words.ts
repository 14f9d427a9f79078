/** The words of the public pages. A new language is a new entry of {@link WORDS}. */
export interface Words {
  lang: string;
  ask: { title: string; text: (sender: string | null) => string; button: string; note: string };
  done: { title: string; text: (sender: string | null) => string; note: string };
  gone: { title: string; text: string };
  later: { title: string; text: string };
  unclear: { title: string; text: string };
}

const en: Words = {
  lang: 'en',
  ask: {
    title: 'Unsubscribe?',
    text: (sender) =>
      sender
        ? `Press the button, and ${sender} will send you no more marketing mail.`
        : 'Press the button, and you will get no more marketing mail from this shop.',
    button: 'Yes, unsubscribe me',
    note: 'Nothing has been changed yet. To stay subscribed, just close this page.',
  },
  done: {
    title: 'You are unsubscribed',
    text: (sender) =>
      sender
        ? `${sender} will send you no more marketing mail.`
        : 'You will get no more marketing mail from this shop.',
    note: 'This holds from now on. Mails about your orders may still reach you.',
  },
  gone: {
    title: 'This link leads nowhere',
    text: 'It may have been shortened or changed on its way. Please open it from the mail once more.',
  },
  later: {
    title: 'Please try again in a moment',
    text: 'We could not do this just now, and nothing has been changed.',
  },
  unclear: {
    title: 'That was not understood',
    text: 'Please open the link from the mail and press the button there.',
  },
};

const de: Words = {
  lang: 'de',
  ask: {
    title: 'Abmelden?',
    text: (sender) =>
      sender
        ? `Ein Klick auf den Knopf, und ${sender} schickt Ihnen keine Werbung mehr.`
        : 'Ein Klick auf den Knopf, und Sie erhalten keine Werbung von diesem Shop mehr.',
    button: 'Ja, bitte abmelden',
    note: 'Noch ist nichts geändert. Wenn Sie angemeldet bleiben möchten, schließen Sie die Seite.',
  },
  done: {
    title: 'Sie sind abgemeldet',
    text: (sender) =>
      sender
        ? `${sender} schickt Ihnen keine Werbung mehr.`
        : 'Sie erhalten keine Werbung von diesem Shop mehr.',
    note: 'Das gilt ab sofort. Nachrichten zu Ihren Bestellungen können Sie weiterhin erreichen.',
  },
  gone: {
    title: 'Dieser Link führt nirgendwohin',
    text: 'Vielleicht wurde er unterwegs gekürzt oder verändert. Bitte öffnen Sie ihn noch einmal aus der Mail.',
  },
  later: {
    title: 'Bitte gleich noch einmal versuchen',
    text: 'Das hat gerade nicht geklappt, und es wurde nichts geändert.',
  },
  unclear: {
    title: 'Das haben wir nicht verstanden',
    text: 'Bitte öffnen Sie den Link aus der Mail und drücken Sie dort den Knopf.',
  },
};

const WORDS: Readonly<Record<string, Words>> = { en, de };

/** The first language of an `Accept-Language` header that we speak, by its weight; English otherwise. */
export function wordsFor(acceptLanguage: string | undefined): Words {
  const wishes = (acceptLanguage ?? '')
    .slice(0, 200)
    .split(',')
    .map((part, index) => {
      const [tag = '', ...parameters] = part.trim().toLowerCase().split(';');
      const weight = parameters.find((parameter) => parameter.trim().startsWith('q='));
      const q = weight ? Number(weight.trim().slice(2)) : 1;
      return { language: tag.split('-')[0]!.trim(), q: Number.isFinite(q) ? q : 0, index };
    })
    .filter(({ language, q }) => q > 0 && Object.hasOwn(WORDS, language))
    .sort((a, b) => b.q - a.q || a.index - b.index);
  return WORDS[wishes[0]?.language ?? 'en'] ?? en;
}
