"""How it shows that a text was moved on by thirteen letters or turned round: by common words, also of what
attacks say, that are no words of any language in either form, and in all other languages by what no writing
has much of: consonants in rows, and marks before words instead of after them."""

from __future__ import annotations

from codecs import encode
from collections.abc import Iterable

_EITHER = """
the you your this that with from please ignore forget disregard previous system prompt instruction
instructions output reveal print make write what when which have every rules answer repeat above before tell
give show must follow always anything everything
para como todas todos instrucciones anteriores olvida ignora reglas ahora responde eres dime sistema muestra
escribe sobre esta cuando solo puedes nunca repite
vous dans pour tout toutes précédentes oublie règles maintenant réponds système affiche cette sont donne votre
jamais consignes répète
nicht alles anweisungen vorherigen vergiss ignoriere regeln jetzt antworte bist zeige schreibe eine sind keine
passwort bitte wiederhole deine niemals
instruções esqueça regras agora responda você mostre escreva senha repita
tutte istruzioni precedenti dimentica regole adesso rispondi mostra scrivi sono della questo tutti ripeti
niet instructies vorige vergeet negeer regels antwoord bent systeem toon schrijf deze jouw geen wachtwoord
wszystkie instrukcje poprzednie zapomnij zignoruj zasady teraz odpowiedz jesteś hasło napisz jest oraz nigdy
önceki talimatları unut görmezden kuralları cevap sistem göster bütün artık lütfen sadece talimat için olarak
abaikan semua instruksi sebelumnya lupakan aturan sekarang jawab anda tampilkan tulis yang untuk dengan tidak
kamu saya jangan perintah ulangi
tidigare instruktioner glöm ignorera regler svara systemet visa skriv inte lösenord aldrig upprepa
tidligere glem ignorer adgangskode gentag instruksjoner passord
kaikki aiemmat ohjeet unohda kirjoita salasana
všechny předchozí pokyny zapomeň ignoruj pravidla nyní heslo zobraz
toate anterioare regulile acum sistem scrie pentru parola
minden utasítás utasítást szabályokat válaszolj rendszer mutasd
không trong những
lahat nakaraang tagubilin kalimutan huwag patakaran ngayon sumagot ikaw
prethodne upute zaboravi pravila sada odgovori lozinka
"""
_MOVED = "and all now never"  # words of English when they are turned round
_TURNED = """
предыдущие инструкции забудь игнорируй правила теперь система покажи напиши пароль ответь
попередні інструкції ігноруй тепер відповідай οδηγίες προηγούμενες αγνόησε κανόνες κωδικός
التعليمات السابقة تجاهل القواعد הוראות הקודמות התעלם
"""  # in letters that rot13 leaves alone

# Consonants in rows, as vowels become n, r, v, b and h; and marks before words.
ROWS = r"(?:[b-df-hj-np-tv-xz]{4}[a-z]{0,8}[.,!?]?\s[^\n]{0,40}){2}"
_MARK = r"[.,!?]{1,3}(?:[a-z]|[^\x00-\x7f])"
MARKS = rf"^\s?{_MARK}|(?:\s{_MARK}.{{0,120}}){{2}}"


def _any(words: Iterable[str]) -> str:
    return "|".join(rf"\b{word}\b" for word in words)


ROT13 = _any(encode(word, "rot13") for word in (_EITHER + _MOVED).split())
REVERSED = "|".join((_any(word[::-1] for word in _EITHER.split()), *(word[::-1] for word in _TURNED.split())))
