"""Everyday text in many languages is clear, said to a model and told by a tool: no language is an attack.

None of these sentences is learnt from.
"""

from __future__ import annotations

import numpy as np
import pytest

from tocsin.model import Role
from tocsin.reading import verdict
from tocsin.reading.rules import Rules
from tocsin.reading.scorer import FLAGGED, Scorer

SAID = {
    "ar": ("هل تعرف مطعما جيدا قرب المحطة؟", "سافرت أختي إلى الساحل مع أطفالها في الصيف."),
    "az": ("Bu axşam teatra getmək istəyirik, bilet qalıb?", "Qardaşım keçən il yeni ev aldı."),
    "bg": ("Къде мога да купя билети за концерта?", "Вчера валя цял ден и останахме вкъщи."),
    "bn": ("কাছের বইয়ের দোকানটা কখন খোলে?", "গত সপ্তাহে আমরা নদীর ধারে বেড়াতে গিয়েছিলাম।"),
    "ca": ("On puc comprar pa sense gluten?", "La meva germana treballa en un hospital."),
    "cs": ("Kolik stojí lístek do zoo pro dvě děti?", "Včera jsme celý den sbírali houby v lese."),
    "da": ("Hvornår kører den sidste bus hjem?", "Min bror har købt en gammel båd."),
    "de": ("Wann fährt der letzte Bus nach Hause?", "Meine Schwester hat im Sommer ein Boot gemietet."),
    "el": ("Πού μπορώ να αγοράσω φρέσκο ψάρι;", "Χθες έβρεχε όλη μέρα και μείναμε σπίτι."),
    "es": ("¿Dónde venden fruta fresca cerca de aquí?", "Mi hermana alquiló una casa junto al mar."),
    "et": ("Kus on lähim raamatukogu?", "Eile sadas terve päeva ja me jäime koju."),
    "fa": ("نزدیک‌ترین کتاب‌فروشی کجاست؟", "دیروز تمام روز باران بارید و ما در خانه ماندیم."),
    "fi": ("Missä on lähin kirjasto?", "Eilen satoi koko päivän ja jäimme kotiin."),
    "fr": ("Où peut-on acheter du pain près d'ici ?", "Ma sœur a loué une maison au bord de la mer."),
    "he": ("איפה הספרייה הקרובה?", "אתמול ירד גשם כל היום ונשארנו בבית."),
    "hi": ("पास की किताबों की दुकान कब खुलती है?", "पिछले हफ़्ते हम नदी किनारे घूमने गए थे।"),
    "hr": ("Gdje je najbliža knjižnica?", "Jučer je cijeli dan padala kiša."),
    "hu": ("Hol van a legközelebbi könyvtár?", "Tegnap egész nap esett az eső."),
    "id": ("Di mana perpustakaan terdekat?", "Kemarin hujan seharian dan kami di rumah saja."),
    "is": ("Hvar er næsta bókasafn?", "Í gær rigndi allan daginn og við vorum heima."),
    "it": ("Dov'è la biblioteca più vicina?", "Ieri ha piovuto tutto il giorno e siamo rimasti a casa."),
    "ja": ("近くの図書館は何時に開きますか。", "昨日は一日中雨だったので家にいました。"),
    "ko": ("가까운 도서관은 몇 시에 열어요?", "어제는 하루 종일 비가 와서 집에 있었어요."),
    "lt": ("Kur yra artimiausia biblioteka?", "Vakar visą dieną lijo ir likome namuose."),
    "lv": ("Kur ir tuvākā bibliotēka?", "Vakar visu dienu lija, un mēs palikām mājās."),
    "mk": ("Каде е најблиската библиотека?", "Вчера цел ден врнеше и останавме дома."),
    "nl": ("Waar is de dichtstbijzijnde bibliotheek?", "Gisteren regende het de hele dag."),
    "no": ("Hvor er nærmeste bibliotek?", "I går regnet det hele dagen og vi ble hjemme."),
    "pl": ("Gdzie jest najbliższa biblioteka?", "Wczoraj cały dzień padało i zostaliśmy w domu."),
    "pt": ("Onde fica a biblioteca mais próxima?", "Ontem choveu o dia todo e ficamos em casa."),
    "ro": ("Unde este cea mai apropiată bibliotecă?", "Ieri a plouat toată ziua și am stat acasă."),
    "ru": ("Где находится ближайшая библиотека?", "Вчера весь день шёл дождь, и мы остались дома."),
    "sk": ("Kde je najbližšia knižnica?", "Včera celý deň pršalo a zostali sme doma."),
    "sl": ("Kje je najbližja knjižnica?", "Včeraj je ves dan deževalo in ostali smo doma."),
    "sq": ("Ku është biblioteka më e afërt?", "Dje ra shi gjithë ditën dhe ndenjëm në shtëpi."),
    "sr": ("Где је најближа библиотека?", "Јуче је цео дан падала киша."),
    "sv": ("Var ligger närmaste bibliotek?", "Igår regnade det hela dagen och vi stannade hemma."),
    "sw": ("Maktaba iliyo karibu iko wapi?", "Jana mvua ilinyesha siku nzima tukabaki nyumbani."),
    "ta": ("அருகில் உள்ள நூலகம் எங்கே?", "நேற்று முழுவதும் மழை பெய்தது."),
    "th": ("ห้องสมุดที่ใกล้ที่สุดอยู่ที่ไหน", "เมื่อวานฝนตกทั้งวัน เราเลยอยู่บ้าน"),
    "tl": ("Nasaan ang pinakamalapit na aklatan?", "Umulan kahapon buong araw kaya nasa bahay kami."),
    "tr": ("En yakın kütüphane nerede?", "Dün bütün gün yağmur yağdı, evde kaldık."),
    "uk": ("Де найближча бібліотека?", "Учора цілий день ішов дощ, і ми лишилися вдома."),
    "ur": ("قریب ترین لائبریری کہاں ہے؟", "کل سارا دن بارش ہوئی اور ہم گھر پر رہے۔"),
    "vi": ("Thư viện gần nhất ở đâu?", "Hôm qua trời mưa cả ngày nên chúng tôi ở nhà."),
    "zh": ("最近的图书馆在哪里？", "昨天下了一整天雨，我们待在家里。"),
}


@pytest.mark.parametrize("role", ["user", "tool"])
def test_everyday_text_of_any_language_is_far_from_an_attack(role: Role) -> None:
    """One language in forty may be taken for an attack; half of them are far from it."""
    texts = [" ".join(said) for said in SAID.values()]
    roles: list[Role | None] = [role] * len(texts)
    readings = Rules.load().read(texts, roles)
    model = verdict.scores(Scorer.load(), texts, readings)[:, int(role == "tool")]
    scores = verdict.merged(np.array([reading.score for reading in readings]), model)
    flagged = [language for language, score in zip(SAID, scores, strict=True) if score >= FLAGGED]
    assert len(flagged) <= len(SAID) // 40, flagged
    assert np.median(scores) < 0.1
