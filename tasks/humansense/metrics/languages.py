"""The words that the strict parser knows, as tables: one row for each language. Standard library only.

Each table becomes one piece of a regular expression. A row is a piece itself: `|` separates words. Languages that write
no spaces between words are matched anywhere, all others as whole words. The text is in normal form NFKC, so that full
stops, colons and brackets of Chinese and Japanese are plain ones, but for 。、【】「」.
"""

import unicodedata
from collections.abc import Mapping

_NO_SPACES = {"zh", "ja", "ko", "th", "ar"}
"""Languages whose words are written together, or begin with an attached "and" or "the"."""


def words(table: Mapping[str, str]) -> str:
    """A regular expression for one of the words in a table.

    Args:
        table: Words, separated by `|`, by language.

    Returns:
        The expression, as a group that captures nothing. It ignores case if it is compiled so.
    """
    table = {language: unicodedata.normalize("NFKC", row) for language, row in table.items()}
    whole = "|".join(row for language, row in table.items() if language not in _NO_SPACES)
    anywhere = [row for language, row in table.items() if language in _NO_SPACES]
    # What can be told from one character comes first: most places in a text are left at once.
    pattern = rf"(?<![^\W_])(?=\w)(?:{whole})(?![^\W_])"
    return rf"(?:{pattern}|(?=[^\x00-\x7f])(?:{'|'.join(anywhere)}))" if anywhere else rf"(?:{pattern})"


ANSWER = {
    "en": r"answers?(?:'s)?|ans|final (?:choice|verdict|decision|option|selection|response)|your choice",
    "de": r"antwort(?:en)?|lösung",
    "fr": r"réponses?",
    "es": r"respuestas?",
    "pt": r"respostas?|gabarito",
    "it": r"risposta|risposte",
    "nl": r"antwoord(?:en)?",
    "sv": r"svar(?:et)?",
    "pl": r"odpowiedź|odpowiedzi",
    "cs": r"odpověď",
    "ru": r"ответы?",
    "uk": r"відповідь",
    "tr": r"cevap|yanıt|cevabı",
    "vi": r"đáp án|câu trả lời",
    "id": r"jawaban(?:nya)?",
    "hi": r"उत्तर|जवाब|सही विकल्प",
    "bn": r"উত্তর",
    "fa": r"پاسخ|جواب",
    "zh": r"答案|答复|(?<![回应問问])答(?=[:是为為])|故?应选|應選",
    "ja": r"正解|答え|回答|解答|正答",
    "ko": r"정답|(?<![가-힣])답(?=[은:이 ])",
    "ar": r"الإجابات|الإجابة|الاجابة|الجواب|إجابة|إجابتي",
    "th": r"คำตอบ",
}
"""The place for an answer: the answer may follow at once, or behind some of `LINK`."""

CHOICE = {
    "en": r"(?:(?:correct|right|best|final|chosen|selected|proper|appropriate) )(?:options?|choices?|ones?"
    r"|statements?|response|reply|match)"
    r"|option|choice|choose|selection|selected[ _]option|pick|verdict|conclusion|prediction|result|output|best"
    r"|correct|right|final"
    r"|yes|revised|corrected|correction|let me correct (?:that|this|it|myself)|count|total|number of [^.:\n]{1,40}"
    r"|number",
    "de": r"richtig|richtige option|fazit|ergebnis",
    "fr": r"bonne option|option correcte|bon choix|choix|conclusion",
    "es": r"opci[oó]n(?:es)? correctas?|alternativa correcta|opci[oó]n|correcta",
    "pt": r"op[çc](?:ão|ões) corretas?|alternativas? corretas?|alternativa|opção",
    "it": r"opzion[ei] corrett[ae]|opzione|scelta(?: corretta)?",
    "ru": r"(?:верный|правильный) вариант|верно|итог",
    "vi": r"phương án đúng|lựa chọn đúng",
    "id": r"pilihan(?: yang)? (?:benar|tepat)",
    "zh": r"正确(?:的)?(?:选项|答案|选择)?|正確(?:的)?(?:選項|答案)?|最终选择|结论|選択",
    "ja": r"正しい(?:選択肢|もの|答え)|選択肢",
    "ko": r"올바른 (?:선택지|답)|맞는 (?:것|답)|결론",
    "ar": r"الخيار الصحيح|الاختيار الصحيح|الخيارات الصحيحة",
    "th": r"ข้อที่ถูกต้อง|ตัวเลือกที่ถูกต้อง",
}
"""What is the place for an answer only with a verb or a colon between ("The correct option is B", "Best: B")."""

LINK = {
    "en": r"(?:is|are|was|were|(?:would|should|must|will|has to|could only|seems to|appears to) be"
    r"|'s)(?: most likely)?",
    "de": r"ist|sind|lautet|lauten|wäre|wären",
    "fr": r"est|sont|serait|seraient",
    "es": r"es|son|sería|serían",
    "pt": r"é|são|seria|seriam",
    "it": r"è|sono|sarebbe|sarebbero",
    "nl": r"is|zijn",
    "sv": r"är",
    "pl": r"to|jest|są",
    "cs": r"je|jsou",
    "ru": r"это|является|будет|будут",
    "tr": r"şudur|olarak",
    "vi": r"là",
    "id": r"adalah|yaitu",
    "hi": r"है",
    "fa": r"است",
    "zh": r"是|为|為|选择|選擇|选(?!项)|選(?!項|択)|应该|應該|应|應",
    "ja": r"は|が",
    "ko": r"은|는",
    "ar": r"هي|هو|هما|هم",
    "th": r"คือ",
}
"""The verb between the place for an answer and the answer."""

FILLER = {
    "en": r"the|an?(?= )(?= \w)|option|options|choice|letter|number|clearly|definitely|certainly|indeed|therefore"
    r"|thus"
    r"|probably|likely|most|simply|just|only|both|correct|right|best|final|here|therefore|so|also|value|selected"
    r"|(?:among|of|from) (?:the|these) (?:given )?options|to (?:the|this|your) question|in this (?:case|clip|video)"
    r"|that",
    "de": r"die|der|das|option|antwort|buchstabe|also|wahrscheinlich|daher|somit|richtige[rn]?|auf die frage|damit",
    "fr": r"la|le|les|l|option|lettre|réponse|donc|probablement|bonne|correctes?|exactes?|justes?|bonnes",
    "es": r"la|el|las|los|opción|opcion|letra|opciones|correctas?|por tanto|probablemente|respuesta|alternativa",
    "pt": r"as?(?= (?:letra|opção|alternativa|opções|[\ue000-\ue2ff]))|o|letra|opção|opcao|alternativa|opções"
    r"|corretas?|portanto|certas?",
    "it": r"la|le|lettera|opzione|opzioni|corrett[ae]|quindi|giust[ae]|esatt[ae]",
    "nl": r"optie",
    "sv": r"alternativ|rätt",
    "pl": r"opcja|litera|poprawn[ae]|prawidłow[ae]",
    "ru": r"вариант|варианты|под|буква|буквой|номер|правильный|верный|правильные|верные",
    "tr": r"şıkkı|seçeneği|doğru|seçenek",
    "vi": r"đúng|phương|án|chọn|câu|nhất|lựa|chính xác|cuối cùng",
    "id": r"opsi|pilihan|huruf|yang|benar|tepat|paling",
    "hi": r"विकल्प|सही",
    "zh": r"选项|選項|的|最终|正确|应当|只有|可能|大概",
    "ja": r"選択肢|記号|おそらく|たぶん",
    "ko": r"선택지|옵션|보기|아마도?",
    "ar": r"الصحيحة|الصحيح|الخيار|الخياران|الخيارات|الحرف|رقم|النهائية",
    "th": r"ข้อ|ตัวเลือก|ที่ถูกต้อง",
}
"""What may stand, too, between the place for an answer and the answer."""

SO = {
    "en": r"so(?! (?:are|is|do|does|did|might|may|can|could|was|were|would|too)\b)|therefore|thus|hence|consequently"
    r"|in conclusion|to conclude|in summary|overall|finally|accordingly"
    r"|(?:that|this|which) (?:only )?leaves(?: us with| only)?|leaving(?: only)?|only remaining \w+"
    r"|can(?:no|')t be anything (?:but|other than)|nothing but|points? to|we get|i (?:would |will |'ll |shall |'d "
    r"|have to |must )?(?:choose|chose|pick|select|say"
    r"|go with|opt for|vote for|guess|answer|settle on|stay with|stick with|go for)|i'd (?:choose|pick|select|say"
    r"|go with|opt for|guess|answer|vote for|go for)|i(?:'ll|'m going to) (?:choose|pick|select|go with|say)"
    r"|i(?:'m| am) going with|i (?:\w+ )?(?:think|believe|suppose)|my (?:guess|pick|choice|vote|bet) (?:is|goes to)"
    r"|(?:it|that)(?:'s| is| must be| has to be| should be| would be)|must be|has to be|we (?:choose|select|pick)",
    "de": r"also|daher|deshalb|folglich|somit|ich (?:wähle|würde|nehme|denke|glaube|tippe auf|entscheide mich für)"
    r"|es ist|bleibt(?: nur)?",
    "fr": r"donc|ainsi|par conséquent|je (?:choisis|dirais|pense|sélectionne)|c'est|il reste",
    "es": r"por (?:lo )?tanto|entonces|así que|así pues|por eso|(?:yo )?(?:elijo|elegiría|escojo|selecciono|diría)"
    r"|queda",
    "pt": r"portanto|logo|então|por isso|assim|(?:eu )?(?:escolho|escolheria|seleciono|diria)|resta",
    "it": r"quindi|dunque|pertanto|perciò|scelgo|sceglierei|seleziono|direi|resta|rimane",
    "nl": r"dus|daarom|ik kies",
    "sv": r"alltså|därför|jag väljer",
    "pl": r"więc|zatem|wybieram|dlatego",
    "ru": r"поэтому|следовательно|значит|итак|таким образом|я (?:выбираю|бы выбрала?)|выбираю|остается|остаётся",
    "tr": r"bu yüzden|dolayısıyla|bu nedenle",
    "vi": r"vì vậy|do đó|tôi chọn|nên chọn|vậy nên|chọn|còn lại",
    "id": r"jadi|oleh karena itu|saya (?:memilih|pilih)",
    "hi": r"इसलिए|अतः",
    "zh": r"因此|所以|故|综上(?:所述)?|我(?:会|想|认为|觉得)?选择?|应选|选择|[因故]?选(?!项)|選擇|選(?!項|択)"
    r"|只?剩下?|于是|那么就是"
    r"|应该是|應該是|那就是",
    "ja": r"したがって|よって|従って|ゆえに|なので|だから|そのため|残るのは|私は",
    "ko": r"따라서|그러므로|그래서|저는|결국",
    "ar": r"لذلك|إذن|إذًا|لذا|بالتالي|أختار|اختار",
    "th": r"ดังนั้น|เลือก",
}
"""Words before an answer that ends a clause ("so B.", "I would choose B.", "That leaves B.")."""

RIGHT = {
    "en": r"(?:is|are|would be|seems?(?: to be)?|looks|must be|has to be|appears?(?: to be)?|remains?)(?: clearly"
    r"| definitely"
    r"| thus"
    r"| therefore| indeed| both| probably| most likely| likely)?(?: the| my| our)?(?: only| single)?"
    r" (?:correct|right|true|answers?|choice|(?:best|most \w+|final|correct|right)(?: [^\W\d]+)?"
    r" (?:answers?|choices?|options?|response|reply|one|fit|match|description)|best|most likely)"
    r"(?=\W*$|[.,;:!)\n]| ?(?:because|since|as|here|in|for|to|answers?|choices?|options?|given|based|and|\())"
    r"|fits? (?:the )?best|(?:fits?|appl(?:y|ies)|holds?|matches)(?=[.,;!\n]|$)|it is(?=[.,;!\n]|$)",
    "de": r"(?:ist|sind|scheint)(?: also| daher| somit| wohl| am)?(?: die| das)? (?:richtig|korrekt|richtige \w+"
    r"|passt"
    r"|wahrscheinlichsten)|richtig|korrekt|stimmt|trifft zu|treffen zu|stimmen",
    "fr": r"(?:est|sont)(?: donc)?(?: la| les)? (?:correcte?s?|justes?|exactes?|bonnes? \w+|vraie?s?)|convient",
    "es": r"(?:es|son)(?: la| las)? (?:correct[ao]s?|respuestas? correctas?|verdader[ao]s?)",
    "pt": r"(?:é|são|está|estão)(?: a| as)? (?:corret[ao]s?|cert[ao]s?|respostas? corretas?|verdadeir[ao]s?)",
    "it": r"(?:è|sono)(?: la| le)? (?:corrett[aeio]|giust[aeio]|rispost[ae] corrett[ae]|esatt[ae])",
    "nl": r"is (?:juist|correct|het juiste antwoord)",
    "ru": r"(?:—|-)? ?(?:верно|верный|верны|правильн\w+)(?: ответ| вариант)?|(?:—|-) правильный ответ|подходит",
    "vi": r"(?:là|mới là) (?:đúng|đáp án đúng|chính xác|đáp án)",
    "id": r"(?:adalah )?(?:benar|jawaban yang benar)",
    "hi": r"(?:ही )?(?:सही|सही उत्तर|सही जवाब|सही विकल्प) (?:है|हैं)",
    "tr": r"doğru(?:dur)?|doğru (?:cevap|seçenek)",
    "zh": r"(?:选?项)?(?:都)?(?:是|为)?(?:正确|正確|对的|对(?!话|方|于|比)|最合适|最符合|最佳|符合题意)(?:的|答案"
    r"|选项)*",
    "ja": r"(?:が|は)(?:最も|一番)?(?:正解|正しい|適切|正答|答え)|です(?=[。.!]|\s|$)|だと(?:思|考え)",
    "ko": r"(?:번?[이가])? ?(?:정답|맞(?!지)|옳(?!지)|올바|적절)|입니다|이다",
    "ar": r"(?:هي |هو )?(?:الإجابة )?(?:صحيحة|صحيح|الصحيحة|الصحيح)",
    "th": r"ถูกต้อง|ถูก",
}
"""What follows an option that is called right ("B is right")."""

DENIAL = {
    "en": r"not|never|neither|nor|except|exclud\w*|without|rather than|instead of|cannot|incorrect|wrong|false"
    r"|unlikely"
    r"|impossible|implausible|eliminat\w*|discard\w*|dismiss\w*|reject\w*|rul\w+ out|ruled out|absent|missing|lacks?"
    r"|(?:anything|everything|all) but|least|less|worst|more than|fewer|no|none|hardly|barely|distractors?|trap"
    r"|mistake\w*"
    r"|unable|sorry|isn't|aren't|don't|doesn't|didn't|can't|won't|wouldn't|wasn't|weren't|couldn't|shouldn't|haven't"
    r"|hasn't|avoid\w*|misconception|i'm afraid|i am afraid|other than|apart from|fails?",
    "de": r"nicht|kein\w*|nie(?:mals)?|weder|falsch\w*|ausgeschlossen|außer|ohne|leider|unwahrscheinlich|statt",
    "fr": r"pas|jamais|ni|fausse?s?|incorrecte?s?|sauf|sans|aucune?|exclue?s?|éliminée?s?|impossible|plutôt que",
    "es": r"no|nunca|ni|incorrect[ao]s?|fals[ao]s?|excepto|sin|ningun[ao]?|descart\w*|salvo|tampoco",
    "pt": r"não|nunca|nem|incorret[ao]s?|errad[ao]s?|fals[ao]s?|exceto|sem|nenhum[a]?|descart\w*",
    "it": r"non|mai|né|sbagliat[aeio]|errat[aeio]|fals[aeio]|tranne|senza|nessun[ao]?|esclus[aeio]",
    "nl": r"niet|geen|onjuist|fout",
    "sv": r"inte|ingen|fel",
    "pl": r"nie|błędn\w+|żadn\w+",
    "ru": r"не|нет|ни|неверн\w*|неправильн\w*|ложн\w*|кроме|исключ\w*|без|нельзя",
    "tr": r"değil\w*|yanlış",
    "vi": r"không|chẳng|sai|ngoại trừ|loại",
    "id": r"bukan|tidak|salah|kecuali",
    "hi": r"नहीं|गलत|ग़लत",
    "zh": r"不|没|沒|错|錯|排除|除了|无法|無法|别|未",
    "ja": r"ない|ません|ではな|じゃな|間違|誤|除外|違[いう]",
    "ko": r"아니|않|없|틀[린렸리]|제외|못",
    "ar": r"ليس|لا (?!شك)|خاطئ|خطأ|غير|ليست|استبعاد",
    "th": r"ไม่|ผิด",
}
"""In a clause with one of these words, an option may be one that the response excludes."""

CONDITION = {
    "en": r"if|unless|whether|otherwise|suppose|assuming|in case|provided that|depend(?:s|ing)",
    "de": r"wenn|falls|sofern|ob|andernfalls|sonst|angenommen",
    "fr": r"si|sinon|à moins|supposons|selon que",
    "es": r"si|a menos|supongamos|de lo contrario",
    "pt": r"se|caso|a menos|senão|suponha",
    "it": r"se|altrimenti|a meno",
    "nl": r"als|tenzij|indien",
    "ru": r"если|иначе|ли|при условии",
    "vi": r"nếu|trừ khi",
    "id": r"jika|kalau|apabila",
    "hi": r"यदि|अगर",
    "tr": r"eğer",
    "zh": r"如果|若(?!有)|假如|假设|要是|除非|否则|倘若",
    "ja": r"もし|場合|なら(?!ば?ず)|れば|とすると",
    "ko": r"만약|라면|이면|경우",
    "ar": r"إذا|لو (?!سمح)|إن كان",
    "th": r"ถ้า|หาก",
}
"""Words of a sentence in which nothing is said to be so."""

EXAMPLE = {
    "en": r"for example|(?:options|choices)(?: are|:)|e\.g|examples?|format\w*|template|in the form|such as"
    r"|like (?:this|so|that)|would look|instructions?"
    r"|placeholder|please|reply with|respond with|tags|in a box|asked (?:me )?to|choose from|select from|pick from",
    "de": r"zum beispiel|z\. ?b|beispiel\w*|format|bitte",
    "fr": r"par exemple|exemple|format|veuillez",
    "es": r"por ejemplo|ejemplo|formato|por favor",
    "pt": r"por exemplo|exemplo|formato|por favor",
    "it": r"per esempio|ad esempio|esempio|formato|per favore",
    "ru": r"например|пример|формат\w*|пожалуйста",
    "vi": r"ví dụ|định dạng|vui lòng",
    "id": r"misalnya|contoh|format",
    "hi": r"उदाहरण|प्रारूप|कृपया",
    "zh": r"例如|比如|格式|示例|例子|请|請|形如",
    "ja": r"例えば|たとえば|例:|形式|ください",
    "ko": r"예를 들어|예:|형식",
    "ar": r"على سبيل المثال|مثال|مثلا|صيغة",
    "th": r"ตัวอย่าง|รูปแบบ",
}
"""Words of a sentence that shows the form of an answer, or asks for one."""

GUESS = {
    "en": r"many|some|others|people|users?|you|someone|somebody|one (?:might|may|could|would)|might|may|could"
    r"|consider\w*"
    r"|initially|at first|first thought|another|candidates?|tempt\w*|common|between|possible|possibly|maybe|perhaps"
    r"|whether|naively|originally"
    r"|previously|earlier|let (?:me|us)|let's|is the|does the|either|why|how|a wrong|other",
    "de": r"viele|manche|könnte|zuerst|man könnte|zunächst|entweder|warum",
    "fr": r"beaucoup|certains|pourrait|d'abord|soit|pourquoi",
    "es": r"muchos|algunos|podría|primero|al principio|por qué",
    "pt": r"muitos|alguns|poderia|primeiro|a princípio|por que",
    "it": r"molti|alcuni|potrebbe|all'inizio|perché",
    "ru": r"многие|некоторые|может|сначала|почему",
    "vi": r"nhiều người|có thể|ban đầu|tại sao",
    "id": r"mungkin|banyak|awalnya",
    "hi": r"शायद|कई लोग",
    "zh": r"很多人|有人|许多人|也许|可能是?|或许|一开始|起初|为什么|考虑|干扰",
    "ja": r"かもしれ|多くの人|最初は|なぜ",
    "ko": r"많은 사람|처음에는|왜",
    "ar": r"ربما|كثير|لماذا|قد ",
    "th": r"อาจ",
}
"""Words of a clause that tells a guess, a first thought, or what other people think."""

OR = {
    "en": "or|and/or|alternatively",
    "de": "oder|bzw",
    "fr": "ou",
    "es": "o|u",
    "pt": "ou",
    "it": "o|oppure",
    "nl": "of",
    "sv": "eller",
    "pl": "lub|albo",
    "ru": "или|либо",
    "tr": "veya|ya da",
    "vi": "hoặc|hay",
    "id": "atau",
    "hi": "या",
    "zh": "或者?|还是|還是",
    "ja": "または|あるいは|もしくは|か",
    "ko": "또는|혹은|이나|나",
    "ar": "أو",
    "th": "หรือ",
}

AND = {
    "en": "and|as well as|plus|also|both",
    "de": "und|sowie",
    "fr": "et",
    "es": "y|e",
    "pt": "e",
    "it": "e|ed",
    "nl": "en",
    "sv": "och",
    "pl": "i|oraz",
    "ru": "и",
    "uk": "та",
    "tr": "ve",
    "vi": "và",
    "id": "dan",
    "hi": "और",
    "zh": "和|与|及|以及|跟|還有|还有",
    "ja": "と|および|及び",
    "ko": "와|과|및|하고|그리고",
    "ar": "و",
    "th": "และ",
}

UNSURE = {
    "en": r"also|too|as well|possibl[ey]|plausible|maybe|perhaps|might|may|could|equally|either|alternatively|valid",
    "de": r"auch|möglich|vielleicht|könnte|ebenfalls|ebenso",
    "fr": r"aussi|possible|peut-être|pourrait",
    "es": r"también|posible|quizás?|tal vez|podría",
    "pt": r"também|possível|talvez|poderia",
    "it": r"anche|possibile|forse|potrebbe",
    "ru": r"тоже|также|возможн\w+|может",
    "vi": r"cũng|có thể",
    "hi": r"भी|शायद",
    "id": r"juga|mungkin",
    "zh": r"也|可能|或许|也许",
    "ja": r"も|かもしれ|可能性",
    "ko": r"도|수도|가능",
    "ar": r"أيضا|أيضًا|قد |ربما",
}
"""Words that give another option a chance beside the answer."""

DOUBT = {
    "en": r"wait|hmm+|hold on|actually|on (?:a )?(?:second|further|closer) (?:thought|look|viewing)|on reflection"
    r"|correction|let me (?:correct|reconsider|re-?think|re-?check|double)|no,|scratch that|i was wrong|my mistake"
    r"|that(?:'s| is| was) (?:wrong|not right|incorrect)|i take (?:that|it) back|change my (?:answer|mind)|oops",
    "de": r"moment(?: mal)?|warte|eigentlich|korrektur|doch nicht|nein,|genauer betrachtet",
    "fr": r"attendez?|en fait|non,|correction|à la réflexion|finalement",
    "es": r"espera|en realidad|corrección|no,|pensándolo (?:bien|mejor)|mejor dicho",
    "pt": r"espera|espere|na verdade|correção|não,|pensando (?:bem|melhor)",
    "it": r"aspetta|in realtà|correzione|no,|anzi|ripensandoci",
    "ru": r"подожди\w*|постой\w*|стоп|на самом деле|исправ\w+|нет,|хотя нет|точнее",
    "vi": r"khoan|thực ra|đợi đã|sửa lại",
    "id": r"tunggu|sebenarnya|koreksi|ralat",
    "hi": r"रुकिए|रुको|वास्तव में|असल में|सुधार",
    "zh": r"等等|等一下|不对|不對|更正|其实|仔细(?:一想|看|想)|重新|修正|说错",
    "ja": r"待って|いや|訂正|やっぱり|実は|違います|修正",
    "ko": r"잠깐|잠시만|아니[,요]|정정|사실은|다시 (?:보니|생각)|수정",
    "ar": r"انتظر|لحظة|في الواقع|تصحيح|لا،|عفوا",
    "th": r"เดี๋ยว|แก้ไข",
}
"""Words with which a text takes back what it said. An answer that none follows is open again."""

FINAL = {
    "en": r"final(?:ly)?|revised?|corrected|updated|in the end|after all|ultimately|changed?",
    "de": r"endgültige?|letztlich|schließlich|korrigierte",
    "fr": r"finale?|définitive|corrigée?",
    "es": r"final|definitiva|corregida|finalmente",
    "pt": r"final|definitiva|corrigida|finalmente",
    "it": r"finale|definitiva|corretta:|infine",
    "ru": r"итогов\w+|окончательн\w+|в итоге",
    "vi": r"cuối cùng",
    "id": r"akhir",
    "hi": r"अंतिम",
    "zh": r"最终|最終|最后",
    "ja": r"最終",
    "ko": r"최종",
    "ar": r"النهائية|النهائي|أخيرا",
}
"""Words that make a later verdict the one that counts, without a doubt on its own."""

TURN = {
    "en": r"question|q|human|user|instruction|input|problem|example|student|exercise|new question|next question",
    "de": r"frage|aufgabe|nutzer|benutzer",
    "fr": r"question|utilisateur",
    "es": r"pregunta|usuario",
    "pt": r"pergunta|questão|usuário",
    "it": r"domanda|utente",
    "ru": r"вопрос|пользователь",
    "vi": r"câu hỏi|người dùng",
    "id": r"pertanyaan|pengguna",
    "hi": r"प्रश्न|सवाल",
    "zh": r"问题|問題|题目|題目|用户|用戶|问|人类",
    "ja": r"質問|ユーザー|問題|問",
    "ko": r"질문|사용자|문제",
    "ar": r"السؤال|سؤال|المستخدم",
}
"""Names at the start of a line with which a base model goes on with another question or another turn."""

YES = {
    "en": r"yes|true|(?:correct|right|present|visible|selected|chosen|checked|applies)(?=[^\w]*$|[,.;|)])",
    "de": "ja|richtig|wahr|stimmt",
    "fr": "oui|vrai|correct",
    "es": "sí|si|verdadero|correcto",
    "pt": "sim|verdadeiro|correto",
    "it": "sì|vero|corretto",
    "ru": "да|верно|правильно",
    "vi": "có|đúng",
    "id": "ya|benar",
    "hi": "हाँ|हां|सही",
    "zh": "是|对|對|正确|有",
    "ja": "はい|正しい|あり",
    "ko": "예|네|맞음|있음",
    "ar": "نعم|صحيح",
}
NO = {
    "en": r"no|not|false|incorrect|wrong|absent|doesn't|isn't|aren't|never|nothing|invisible",
    "de": "nein|falsch|nicht",
    "fr": "non|faux|pas",
    "es": "no|falso|incorrecto",
    "pt": "não|falso|incorreto",
    "it": "no|falso|non",
    "ru": "нет|неверно|не",
    "vi": "không|sai",
    "id": "tidak|salah",
    "hi": "नहीं|गलत",
    "zh": "否|不|错|錯|没|无",
    "ja": "いいえ|なし|ない|誤",
    "ko": "아니|없음|틀",
    "ar": "خطأ|ليس",
}
"""Marks of single options in a list ("A: yes, B: no")."""

YES_SIGNS, NO_SIGNS = "✓✔✅√☑🗸⭕○◯👍", "✗✘❌×☐✖🚫👎"

ALL = {
    "en": r"(?:(?:the )?(?:correct )?answers? (?:is|are):? )?(?:all(?: of)?(?: the| of)?(?: (?:above|them|these|four"
    r"|options|answers|choices|listed))+(?: (?:options|are|is|correct|right|apply|true|listed|four))*|all four)",
    "de": r"alle(?: \w+)?(?: sind)?(?: richtig| korrekt)?|alles davon",
    "fr": r"toutes(?: les (?:réponses|options))?(?: ci-dessus)?(?: sont (?:correctes|justes|bonnes))?",
    "es": r"todas(?: las (?:anteriores|opciones|respuestas))?(?: son correctas)?",
    "pt": r"todas(?: as (?:anteriores|opções|alternativas))?(?: (?:são|estão) corretas)?",
    "it": r"tutte(?: le (?:precedenti|opzioni|risposte))?(?: sono corrette)?",
    "ru": r"все(?: (?:варианты|ответы|вышеперечисленное|перечисленное|верно|верны|правильны))+",
    "vi": r"tất cả(?: các (?:phương án|đáp án|câu))?(?: trên)?(?: đều đúng)?",
    "id": r"semua(?: (?:jawaban|pilihan|opsi))?(?: di atas)?(?: benar)?",
    "hi": r"उपरोक्त सभी|ये सभी",
    "zh": r"以上(?:选项)?(?:都|皆|全部?)(?:是|对|正确|选)(?:的)?|全选|全部(?:都)?(?:正确|都对|选项|选)|都(?:对|正确"
    r"|选)|所有选项(?:都正确)?",
    "ja": r"(?:上記)?(?:の)?(?:すべて|全て|全部)(?:が?正しい|正解)?(?:です)?",
    "ko": r"모두(?: (?:정답|맞습니다|해당됩니다|맞다))?|(?:위의? )?(?:전부|모두)(?:입니다)?",
    "ar": r"جميع (?:ما سبق|الخيارات|الإجابات)(?: صحيحة)?|كل ما سبق",
}
"""A whole answer to a multi-select that chooses every option."""

NOBODY = {
    "en": r"no[ -]?one(?! else)|nobody(?! else)|no (?:other )?(?:people|persons?|speakers?|humans?|faces?|voices?"
    r"|individuals?"
    r"|one)|none|neither of|none of the|zero",
    "de": r"niemand\w*|keiner|keine (?:person\w*|menschen|leute|sprecher)",
    "fr": r"(?:n'y a|ne \w+|aucune?) personne|aucune personne|personne ne",
    "es": r"nadie|ninguna persona",
    "pt": r"ninguém|nenhuma pessoa",
    "it": r"nessuno|nessuna persona",
    "ru": r"никого|никто|людей нет|нет людей",
    "vi": r"không có (?:ai|người)",
    "id": r"tidak ada (?:orang|siapa)\w*",
    "hi": r"कोई (?:भी )?(?:व्यक्ति )?नहीं",
    "zh": r"没有(?:任何)?人|没人|無人|无人|沒有人",
    "ja": r"誰も|人はいま?せ?な?い?",
    "ko": r"아무도|사람이 없",
    "ar": r"لا أحد|لا يوجد (?:أحد|أشخاص)",
}

NUMBERS = {
    "en": "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty",
    "zh": "零 一 二 三 四 五 六 七 八 九 十 十一 十二",
    "zh pair": "零 一 两 三",
    "ko": "영 한 두 세 네 다섯 여섯 일곱 여덟 아홉 열",
    "ko alone": "영 하나 둘 셋 넷",
    "de": "null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
    "de other": "null eine zwei",
    "de alone": "null eins zwei",
    "fr": "zéro un deux trois quatre cinq six sept huit neuf dix onze douze",
    "fr feminine": "zéro une",
    "es": "cero un dos tres cuatro cinco seis siete ocho nueve diez once doce",
    "es feminine": "cero una",
    "es alone": "cero uno",
    "pt": "zero um dois três quatro cinco seis sete oito nove dez onze doze",
    "pt feminine": "zero uma duas",
    "it": "zero un due tre quattro cinque sei sette otto nove dieci undici dodici",
    "it feminine": "zero una",
    "it alone": "zero uno",
    "ru": "ноль один два три четыре пять шесть семь восемь девять десять",
    "ru collective": "ноль одна двое трое четверо пятеро шестеро семеро",
    "ru feminine": "ноль одна две",
    "ar": "صفر واحد اثنان ثلاثة أربعة خمسة ستة سبعة ثمانية تسعة عشرة",
    "ar pair": "صفر شخص شخصان ثلاث أربع خمس",
    "ar other": "صفر واحدة اثنين",
    "hi": "शून्य एक दो तीन चार पांच छह सात आठ नौ दस",
    "hi other": "शून्य एक दो तीन चार पाँच छः",
    "vi": "không_ một hai ba bốn năm sáu bảy tám chín mười",
    "id": "nol satu dua tiga empat lima enam tujuh delapan sembilan sepuluh",
    "nl": "nul een twee drie vier vijf zes zeven acht negen tien",
    "pl": "zero jeden dwie trzy cztery pięć sześć siedem osiem dziewięć dziesięć",
}
"""Numbers in words, from nought on."""

PEOPLE = {
    "en": r"people|persons?|individuals?|speakers?|faces?|voices?|participants?|characters?|humans?|times|laughs"
    r"|hands",
    "de": r"personen|person|menschen|leute|sprecher(?:innen)?|stimmen|gesichter|mal",
    "fr": r"personnes?|gens|locuteurs?|voix|visages?|fois|individus?",
    "es": r"personas?|hablantes?|voces|caras|rostros|veces|individuos?",
    "pt": r"pessoas?|falantes?|vozes|rostos|vezes|indivíduos?",
    "it": r"persone|persona|parlanti|voci|volti|volte|individui",
    "ru": r"человека?|людей|голоса|голосов|говорящих|лица?|раза?|спикера?",
    "hi": r"लोग|व्यक्ति|लोगों|बार|आवाज़ें|चेहरे|वक्ता",
    "vi": r"người(?! (?:đàn ông|phụ nữ))|giọng(?: nói)?|lần|khuôn mặt",
    "id": r"orang|pembicara|kali|wajah|suara",
    "nl": r"mensen|personen|sprekers|keer",
    "pl": r"osoby|osób|ludzi|osoba",
    "zh": r"(?:[个個位名])?(?:不同的?)?(?:人(?!民)|说话者|說話者|人物|角色|说话人|者)|次|张(?:人?脸|面孔)|[种个]声音"
    r"|[位名](?=[。,.]|$)",
    "ja": r"人|名|回|つの声",
    "ko": r"명|사람|번(?!째)|개의 목소리",
    "ar": r"أشخاص|شخصا|شخص|شخصين|متحدثين|أصوات|مرات|متحدثون",
}
"""What is counted: people, their faces and voices, and times."""

GROUPS = {
    "en": r"m[ae]n|wom[ae]n|boys?|girls?|child(?:ren)?|kids?|adults?|baby|babies|guys?|members?|students?|friends?"
    r"|players?|guests?|actors?|ladies|gentlemen|males?|females?|teenagers?",
    "de": r"männer|frauen|mann|frau|kind(?:er)?|jungen|mädchen",
    "fr": r"hommes?|femmes?|enfants?|garçons?|filles?",
    "es": r"hombres?|mujer(?:es)?|niñ[oa]s?",
    "pt": r"hom(?:em|ens)|mulher(?:es)?|crianças?|menin[oa]s?",
    "it": r"uom(?:o|ini)|donn[ae]|bambin[oiae]",
    "ru": r"мужчин\w*|женщин\w*|детей|ребен\w*|девоч\w*|мальчик\w*",
    "vi": r"người (?:đàn ông|phụ nữ)|đứa trẻ|cô gái|đàn ông|phụ nữ",
    "id": r"pria|wanita|anak",
    "hi": r"पुरुष|महिला(?:एं|एँ)?|बच्चे|आदमी|औरत",
    "zh": r"[个個位名](?:[^\W\d]{0,4})?(?:男|女|孩|老人|儿童|成人|学生|先生|小姐)",
    "ja": r"人の(?:男|女|子|大人)|名の(?:男|女|子)",
    "ko": r"명의 (?:남|여|아이)",
    "ar": r"رجال|رجل|نساء|امرأة|أطفال|طفل",
}
"""Parts of a number of people: they do not give the number of all."""

THINGS = {
    "en": r"seconds?|secs?|minutes?|mins?|hours?|frames?|fps|shots?|scenes?|clips?|turns?|sentences?|words?|lines?"
    r"|pictures?"
    r"|images?|questions?|options?|meters?|metres?|years?|dogs?|cats?|animals?|birds?|cars?|chairs?|tables?|cameras?"
    r"|steps?"
    r"|languages|videos?|segments?|parts?|am|pm|points?|items?|cups?|rooms?|photos?|horses?",
    "de": r"sekunden?|minuten?|bilder|jahren?|frames|hunde?|katzen?",
    "fr": r"secondes?|minutes?|images?|ans|chiens?|chats?",
    "es": r"segundos?|minutos?|fotogramas|años|perros?|gatos?",
    "pt": r"segundos?|minutos?|quadros|anos|cães|cachorros?|gatos?",
    "it": r"secondi|minuti|fotogrammi|anni|cani|gatti",
    "ru": r"секунд\w*|минут\w*|кадр\w*|лет|собак\w*|кош\w*",
    "hi": r"सेकंड|मिनट|फ्रेम",
    "vi": r"giây|phút|khung hình|con chó|tuổi",
    "id": r"detik|menit|frame|tahun|anjing",
    "zh": r"秒钟?|分钟|帧|岁|[只条]|张图|个镜头|个片段|个问题|句|年|月|日|点",
    "ja": r"秒|分|フレーム|歳|匹|枚",
    "ko": r"초|분|프레임|살|마리|장|세(?= )",
    "ar": r"ثانية|ثوان|ثواني|دقيقة|دقائق|إطار",
}
"""What has a number, too, but is not what was asked."""

SUM = {
    "en": r"in total|in all|altogether|total(?: of)?|overall|all together|sum",
    "de": r"insgesamt|zusammen|summe",
    "fr": r"au total|en tout",
    "es": r"en total",
    "pt": r"no total|ao todo",
    "it": r"in totale|in tutto",
    "ru": r"всего|в сумме|итого",
    "vi": r"tổng cộng|tất cả",
    "id": r"total|jumlah|semuanya",
    "hi": r"कुल",
    "zh": r"一共|总共|總共|共(?:有|计)|共|总计|合计",
    "ja": r"合計|全部で|計",
    "ko": r"총|모두|합계|전체",
    "ar": r"المجموع|إجمالي|مجموع",
}
"""Words beside the number that sums up others."""
