/** Where the sample shop's customers live, and what people are called there. */
export interface Country {
  /** ISO 3166-1 alpha-2. */
  readonly code: string;
  /** Relative share of the customers. */
  readonly share: number;
  /** IANA names with relative weights. */
  readonly zones: readonly (readonly [name: string, weight: number])[];
  readonly locale: string;
  readonly first: readonly string[];
  readonly last: readonly string[];
}

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

const GERMAN_FIRST =
  words(`Anna Ben Clara David Emma Felix Greta Hannes Ida Jonas Jörg Karla Lena Lukas Mia Moritz
  Nele Oskar Paula Paul Rosa Simon Thea Till Ursula Vera Walter Zoë`);
const GERMAN_LAST =
  words(`Arnold Bauer Becker Brandt Fischer Frank Groß Hartmann Huber Jäger Keller Koch König
  Krüger Lang Lorenz Maier Müller Neumann Pohl Richter Schäfer Schmidt Schneider Vogel Wagner Weber Wolf Zimmermann`);
const ENGLISH_FIRST =
  words(`Alice Amelia Arthur Charlie Daisy Edward Ella Freya George Grace Harry Isla Jack James
  Lily Lucy Mason Nora Oliver Olivia Oscar Poppy Ruby Sam Sophie Theo Violet William`);
const ENGLISH_LAST =
  words(`Adams Baker Bennett Brown Carter Clarke Collins Cooper Davies Evans Foster Green Hall
  Harris Hughes Jackson Johnson King Lewis Martin Mitchell Morgan Parker Reed Roberts Shaw Taylor Turner Walker Wood`);

/** By share of customers; the order is part of the seed's meaning. */
export const COUNTRIES: readonly Country[] = [
  {
    code: 'DE',
    share: 22,
    zones: [['Europe/Berlin', 1]],
    locale: 'de-DE',
    first: GERMAN_FIRST,
    last: GERMAN_LAST,
  },
  {
    code: 'GB',
    share: 16,
    zones: [['Europe/London', 1]],
    locale: 'en-GB',
    first: ENGLISH_FIRST,
    last: ENGLISH_LAST,
  },
  {
    code: 'US',
    share: 18,
    zones: [
      ['America/New_York', 5],
      ['America/Chicago', 3],
      ['America/Denver', 1],
      ['America/Los_Angeles', 3],
    ],
    locale: 'en-US',
    first: [...ENGLISH_FIRST, ...words('Aaliyah Diego Isabella Jayden Kai Luna Mateo Savannah')],
    last: [...ENGLISH_LAST, ...words('Garcia Kim Lopez Nguyen O’Brien Patel Rivera Washington')],
  },
  {
    code: 'FR',
    share: 11,
    zones: [['Europe/Paris', 1]],
    locale: 'fr-FR',
    first:
      words(`Adèle Antoine Camille Chloé Émile Élodie François Gabriel Hélène Hugo Inès Jules Léa Louis Lucie
      Manon Margaux Mathis Nathan Noémie Raphaël Romane Théo Zoé`),
    last: words(`André Bernard Blanc Bonnet Chevalier Dubois Dupont Durand Fontaine François Garnier Girard Lambert
      Laurent Lefèvre Leroy Marchand Mercier Moreau Noël Petit Perrin Robert Rousseau Roux Simon`),
  },
  {
    code: 'NL',
    share: 6,
    zones: [['Europe/Amsterdam', 1]],
    locale: 'nl-NL',
    first:
      words(`Anouk Bram Daan Eva Femke Floor Jan Jeroen Joris Lars Lotte Maaike Marit Niels Pieter Roos Ruben
      Sanne Sem Tess Thijs Wouter`),
    last: words(`Bakker Bos Brouwer Dekker Dijkstra Hendriks Jansen Kok Kuipers Meijer Mulder Peters Postma Prins
      Schouten Smit Verhoeven Visser Vos Willems`),
  },
  {
    code: 'ES',
    share: 6,
    zones: [['Europe/Madrid', 1]],
    locale: 'es-ES',
    first:
      words(`Álvaro Ana Carlos Carmen Claudia Daniel Elena Íñigo Irene Javier José Lucía Manuel María Marta Miguel
      Nuria Pablo Pilar Raúl Sofía Teresa`),
    last: words(`Álvarez Castro Díaz Fernández García Gómez González Hernández Jiménez López Martínez Moreno Muñoz Núñez
      Ortega Pérez Ramos Romero Ruiz Sánchez Torres Vázquez`),
  },
  {
    code: 'AT',
    share: 4,
    zones: [['Europe/Vienna', 1]],
    locale: 'de-AT',
    first: GERMAN_FIRST,
    last: [...GERMAN_LAST, ...words('Gruber Hofer Moser Pichler Steiner Wimmer')],
  },
  {
    code: 'IT',
    share: 4,
    zones: [['Europe/Rome', 1]],
    locale: 'it-IT',
    first:
      words(`Alessandra Andrea Bianca Chiara Davide Elisa Fabio Federica Francesco Giorgia Giulia Lorenzo Luca
      Marco Matteo Niccolò Paola Sara Stefano Valentina`),
    last: words(`Bianchi Bruno Caruso Colombo Conti Costa Esposito Ferrari Gallo Greco Mancini Marino Moretti Ricci
      Rizzo Romano Rossi Russo Serra Villa`),
  },
  {
    code: 'SE',
    share: 3,
    zones: [['Europe/Stockholm', 1]],
    locale: 'sv-SE',
    first: words(
      `Alva Åsa Axel Björn Ebba Elsa Erik Gustav Ingrid Karin Lars Linnéa Maja Nils Olle Saga Sven Wilma`,
    ),
    last: words(`Åberg Andersson Berg Eriksson Holm Johansson Larsson Lindberg Lund Nilsson Nyström Öberg Persson Sjögren
      Ström Svensson`),
  },
  {
    code: 'PL',
    share: 3,
    zones: [['Europe/Warsaw', 1]],
    locale: 'pl-PL',
    first:
      words(`Agnieszka Andrzej Ewa Grażyna Jakub Joanna Kasia Łucja Łukasz Małgorzata Marek Michał Ola Piotr
      Stanisław Tomasz Wojciech Zofia`),
    last: words(`Dąbrowski Jankowska Kamiński Kowalczyk Kowalski Krawczyk Lewandowski Mazur Nowak Pawłowski Wiśniewska
      Wójcik Woźniak Wróbel Zając Zieliński`),
  },
  {
    code: 'CA',
    share: 3,
    zones: [
      ['America/Toronto', 3],
      ['America/Vancouver', 1],
      ['America/St_Johns', 0.2],
    ],
    locale: 'en-CA',
    first: ENGLISH_FIRST,
    last: ENGLISH_LAST,
  },
  {
    code: 'AU',
    share: 2,
    zones: [
      ['Australia/Sydney', 3],
      ['Australia/Adelaide', 1],
    ],
    locale: 'en-AU',
    first: ENGLISH_FIRST,
    last: ENGLISH_LAST,
  },
  {
    code: 'IN',
    share: 2,
    zones: [['Asia/Kolkata', 1]],
    locale: 'en-IN',
    first:
      words(`Aarav Aditi Ananya Arjun Deepa Divya Ishaan Kavya Kiran Lakshmi Meera Neha Priya Rahul Ravi Rohan
      Sanjay Sunita Vikram Zara`),
    last: words(`Agarwal Bose Chopra Das Desai Gupta Iyer Joshi Kapoor Khan Kumar Mehta Menon Nair Patel Rao Reddy Shah
      Sharma Singh`),
  },
];

/**
 * Mail domains by share, all reserved (RFC 2606, RFC 6761), so that no mail can ever reach a person. The providers'
 * names stand as labels, for tables that are read by provider.
 */
export const MAIL_DOMAINS: readonly (readonly [domain: string, share: number])[] = [
  ['gmail.example.test', 38],
  ['outlook.example.test', 15],
  ['yahoo.example.test', 8],
  ['icloud.example.test', 12],
  ['mail.example.org', 9],
  ['post.example.net', 9],
  ['web.example.com', 9],
];

/** The dev inbox refuses mail to this domain (550 5.1.1): mailboxes that exist no more. */
export const GONE_DOMAIN = 'gone.example.test';

const LETTERS: Readonly<Record<string, string>> = {
  ä: 'ae',
  ö: 'oe',
  ü: 'ue',
  ß: 'ss',
  å: 'aa',
  ø: 'oe',
  æ: 'ae',
  ł: 'l',
};

/** The local part that people choose for their name: ASCII letters only. */
export function asciiName(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[äöüßåøæł]/g, (letter) => LETTERS[letter] ?? letter)
    .normalize('NFD')
    .replaceAll(/[^a-z]/g, '');
}
