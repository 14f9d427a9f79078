import type { ImportKind } from './mapping.ts';

/**
 * Words in the headings of exports, in nine languages, without accents, blanks and signs. A heading that is one of them
 * means the field; one that contains one of them may.
 */
type Words = Readonly<Record<string, string>>;

const CUSTOMER =
  'customerid customer customerno customernumber custid clientid client userid user contactid memberid buyerid accountid householdid kunde kundennr kundennummer kundenid kdnr debitor debitorennummer clientnr numeroclient noclient idclient codeclient cliente idcliente numerocliente codicecliente klant klantnummer klantnr klantid klient nrklienta idklienta kund kundnummer kundnr';
const AT =
  'date datetime timestamp time orderdate orderedat createdat created invoicedate purchasedate transactiondate saledate datum bestelldatum auftragsdatum rechnungsdatum kaufdatum zeitpunkt belegdatum datecommande datefacture datedecommande dateachat fecha fechapedido data dataordine dataacquisto datacompra besteldatum orderdatum datazamowienia zeitstempel quand';
const SKU =
  'sku stockcode productid productcode itemid itemcode itemno articleid articleno articlenumber artikelnr artikelnummer artikel artnr produktnr produktid produktnummer materialnummer ean gtin refproduit reference referenceproduit ref codearticle article codigo codigoproducto referencia codicearticolo codiceprodotto articolo artikelcode artikelnummer kodproduktu indeks artnr lineitemsku variantsku asin';

const CUSTOMERS: Words = {
  id: `${CUSTOMER} externalid id nummer nr`,
  email:
    'email emailaddress mail emailadresse epost courriel adressemail adresseemail mel correo correoelectronico indirizzoemail posta emailaddres epostadress adresemail',
  name: 'name fullname customername vollername kundenname nom nomcomplet nomclient nombre nombrecompleto nome nomecompleto naam klantnaam imieinazwisko namn',
  first:
    'firstname givenname forename vorname prenom nombrepila primernombre nomeproprio voornaam imie fornamn',
  last: 'lastname surname familyname nachname familienname nomfamille nomdefamille apellido apellidos cognome sobrenome apelido achternaam nazwisko efternamn',
  country:
    'country countrycode land landcode landercode pays codepays pais paese nazione kraj shippingcountry billingcountry lieferland',
  timeZone: 'timezone tz zeitzone fuseauhoraire zonahoraria fusoorario tijdzone',
  locale: 'locale language lang sprache langue idioma lingua taal jezyk sprak',
  createdAt:
    'createdat created signedupat signupdate registeredat registrationdate joined joinedat membersince kundeseit angelegt angelegtam registriertam registrierungsdatum erstelltam datecreation dateinscription inscritle clientdepuis fechaalta fecharegistro dataregistrazione dataiscrizione datacadastro klantsinds aangemaaktop datarejestracji registrerad',
};

const PRODUCTS: Words = {
  sku: `${SKU} id nummer`,
  title:
    'title productname itemname name description bezeichnung artikelbezeichnung produktname titel artikelname designation libelle nomproduit titre nombre nombreproducto titulo descripcion nome nomeprodotto titolo descrizione naam productnaam omschrijving nazwa benamning produktnamn',
  category:
    'category categoryname producttype productcategory department kategorie warengruppe produktgruppe sortiment abteilung categorie famille rayon categoria departamento familia reparto afdeling kategoria kategori varugrupp',
  price:
    'price unitprice listprice preis einzelpreis verkaufspreis vkpreis vk stuckpreis prix prixunitaire prixvente pv precio preciounitario pvp prezzo prezzounitario preco precounitario prijs stukprijs cena cenajednostkowa pris apris variantprice',
  currency:
    'currency currencycode wahrung waehrung devise monnaie moneda divisa valuta moeda waluta',
  stock:
    'stock inventory stockquantity onhand bestand lagerbestand lager verfugbar quantitestock enstock existencias inventario giacenza disponibilita estoque voorraad stan lagersaldo variantinventoryqty',
  description:
    'longdescription body bodyhtml beschreibung langtext descriptif descriptionlongue descripcionlarga descrizionelunga omschrijvinglang opis beskrivning',
  url: 'url link permalink producturl lien enlace',
};

const ORDERS: Words = {
  order:
    'order orderid orderno ordernumber ordername invoice invoiceid invoiceno invoicenumber transactionid basketid receiptid receiptno cartid saleid salesorder bestellung bestellnr bestellnummer auftrag auftragsnr auftragsnummer rechnung rechnungsnr rechnungsnummer belegnr belegnummer beleg bonnr vorgang commande nocommande numerocommande numcommande idcommande refcommande facture nofacture numerofacture numfacture ticket pedido numeropedido nopedido idpedido factura numerofactura ordine numeroordine idordine fattura numerofattura scontrino encomenda bestelling bestelnummer ordernummer factuur factuurnummer bonnummer zamowienie nrzamowienia numerzamowienia faktura nrfaktury ordernr fakturanummer',
  customer: CUSTOMER,
  at: AT,
  time: 'time uhrzeit zeit heure hora ora tijd godzina tid ordertime bestellzeit',
  currency: PRODUCTS['currency']!,
  sku: SKU,
  quantity:
    'quantity qty units pieces count items cds menge anzahl stuck stueck stk qte quantite qt nombre nb cantidad cant unidades quantita qta pezzi quantidade qtd aantal ilosc szt antal lineitemquantity',
  price: `${PRODUCTS['price']!} itemprice lineitemprice`,
  amount:
    'amount linetotal lineamount salesvalue revenue value extendedprice betrag positionsbetrag zeilenbetrag summe umsatz gesamtpreis wert montant montantligne totalligne ca importe importelinea importo importoriga valor totallinha bedrag regelbedrag kwota wartosc belopp radsumma',
  total:
    'total ordertotal grandtotal invoicetotal totalamount gesamt gesamtbetrag gesamtsumme rechnungsbetrag auftragswert bestellwert endbetrag totalcommande montanttotal totalttc totalpedido importetotal totaleordine totale totalpedido totaalbedrag totaal suma razem totalbelopp',
  category: PRODUCTS['category']!,
  title: PRODUCTS['title']!,
  status:
    'status orderstatus state zustand bestellstatus auftragsstatus belegart art typ type statut etat typeoperation estado tipo stato soort stan typdokumentu financialstatus',
};

const EVENTS: Words = {
  type: 'event eventname eventtype action activity ereignis aktion evenement evento azione gebeurtenis zdarzenie handelse name type typ',
  customer: CUSTOMER,
  at: `${AT} occurredat`,
  id: 'messageid eventid ereignisid id',
};

const REVIEWS: Words = {
  sku: SKU,
  customer: CUSTOMER,
  rating:
    'rating stars score grade bewertung sterne note etoiles valoracion estrellas calificacion valutazione stelle voto avaliacao beoordeling sterren ocena gwiazdki betyg',
  text: 'text review comment reviewtext body bewertungstext kommentar rezension avis commentaire resena comentario recensione commento opmerking tekst opinia omdome',
  at: AT,
  id: 'reviewid id',
};

const CONSENTS: Words = {
  customer: `${CUSTOMER} externalid id email`,
  granted:
    'granted consent optin subscribed newsletter einwilligung zustimmung zugestimmt abonniert consentement accord inscrit consentimiento suscrito consenso iscritto consentimento inscrito toestemming aangemeld zgoda samtycke',
  at: `${AT} consentat grantedat einwilligungam zugestimmtam dateconsentement`,
  source: 'source consentsource quelle herkunft origine fuente fonte bron zrodlo kalla',
};

const NAMES: Readonly<Record<ImportKind, Words>> = {
  customers: CUSTOMERS,
  products: PRODUCTS,
  orders: ORDERS,
  events: EVENTS,
  reviews: REVIEWS,
  consents: CONSENTS,
};

const sets = new Map<string, readonly string[]>();

/** How well a heading names a field of a kind: 1 is its very word, 0 nothing. */
export function nameScore(kind: ImportKind, field: string, heading: string): number {
  const words = wordsOf(kind, field);
  const name = plainHeading(heading);
  if (name === '') return 0;
  const place = words.indexOf(name);
  // The earlier words of a list are the surer ones.
  if (place >= 0) return 1 - (0.1 * place) / words.length;
  let best = 0;
  for (const word of words) {
    if (word.length < 4) continue;
    if (name.startsWith(word) || name.endsWith(word))
      best = Math.max(best, 0.6 + word.length / 100);
    else if (name.includes(word)) best = Math.max(best, 0.4 + word.length / 100);
  }
  return Math.min(best, 0.85);
}

function wordsOf(kind: ImportKind, field: string): readonly string[] {
  const key = `${kind} ${field}`;
  const known = sets.get(key);
  if (known) return known;
  const words = (NAMES[kind][field] ?? '').split(' ').filter((word) => word !== '');
  sets.set(key, words);
  return words;
}

/** Lower case without accents, signs, and what stands in brackets: `Preis (EUR)` is `preis`. */
export function plainHeading(heading: string): string {
  return heading
    .replaceAll(/[([{].*?[)\]}]/g, '')
    .replaceAll('ß', 'ss')
    .replaceAll(/[łŁ]/g, 'l')
    .normalize('NFD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '');
}

/** Zone that most shops with such headings or money are in; only ever a proposal. */
const HINTS: readonly (readonly [
  words: RegExp,
  zone: string,
  currency: string,
  dayFirst: boolean,
])[] = [
  [/kunde|bestell|datum|preis|menge|rechnung|artikel|betrag|anzahl/, 'Europe/Berlin', 'EUR', true],
  [/commande|client|quantite|prix|montant|facture|courriel|libelle/, 'Europe/Paris', 'EUR', true],
  [/pedido|cliente|cantidad|precio|fecha|importe/, 'Europe/Madrid', 'EUR', true],
  [/ordine|quantita|prezzo|importo|fattura/, 'Europe/Rome', 'EUR', true],
  [/klant|bestelling|aantal|prijs|bedrag|factuur/, 'Europe/Amsterdam', 'EUR', true],
  [/zamowien|klient|ilosc|cena|kwota/, 'Europe/Warsaw', 'PLN', true],
  [/kund(?:nr|nummer)|antal|belopp|varugrupp/, 'Europe/Stockholm', 'SEK', true],
];

export interface PlaceHint {
  readonly timeZone: string | null;
  readonly currency: string | null;
  readonly dayFirst: boolean | null;
}

/** Where a shop may be, by the language of its headings. */
export function placeHint(headings: readonly string[]): PlaceHint {
  const all = headings.map(plainHeading);
  let best: { hits: number; hint: (typeof HINTS)[number] } | null = null;
  for (const hint of HINTS) {
    const hits = all.filter((name) => hint[0].test(name)).length;
    if (hits > (best?.hits ?? 0)) best = { hits, hint };
  }
  if (!best) return { timeZone: null, currency: null, dayFirst: null };
  const [, timeZone, currency, dayFirst] = best.hint;
  return { timeZone, currency, dayFirst };
}
