"""The words that the strict parser knows, as tables: for each role a table with a row of words for each language.

A row is the name of its language, a colon, and words or phrases of up to four words, between bars. They are looked up
in lower case and in normal form NFKC. A word in several tables has the role of the last one; one in none has no role.
Standard library only.
"""

import re
import unicodedata
from collections.abc import Iterable

ANSWER, RIGHT, PICK, SO, FINAL, LINK, OPTION, GLUE = "ARPSFVOg"
"""Roles of words that announce an answer ("answer", "correct", "choose", "so", "final"), or stand beside it ("is",
"option", "the")."""
NOT, CANNOT, IF, MAYBE, OTHERS, EXAMPLE, WAIT = "NUIMTED"
"""Roles of words that keep their clause, or all of their sentence, from giving an answer, or take one back ("wait")."""
AND, OR, BUT, BECAUSE, NAMED = "&|xBk"
"""Roles of words that join mentions and clauses, and of things that letters name ("plan B")."""
PEOPLE, GROUP, NOBODY, SUM, ROUGHLY = "pqzFM"
"""Roles of words beside a number: what is counted, parts of it, none of it, what makes a sum (as final as an answer
that is called so), what makes a guess."""

UNSPACED = {"zh", "ja", "ko", "th"}
"""Languages whose words are found within a run of letters."""

_CHOICES = {
    ANSWER: """
        en: answer|answers|ans|choice|choices|pick|selection|verdict|decision|prediction|conclusion|guess|vote|bet|
          result|output|count around|count about|judgment|judgement|count|total|my pick|my choice|my answer|my vote|
          selected option|
          selected options|number of  de: antwort|antworten|lösung|fazit|ergebnis|wahl  fr: réponse|réponses|choix
        es: respuesta|respuestas|elección  pt: resposta|respostas|gabarito|escolha  it: risposta|risposte|scelta
        nl: antwoord|antwoorden|keuze  sv: svar|svaret  pl: odpowiedź|odpowiedzi|odpowiedzią  cs: odpověď
        ru: ответ|ответы|ответом|выбор|відповідь|итог|вывод  tr: cevap|cevabı|cevabım|yanıt|yanıtı
        vi: đáp án|câu trả lời|lựa chọn  id: jawaban|jawabannya|jawapan  hi: उत्तर|जवाब  zh: 答案|答复|答|结论|結論
        ja: 正解|答え|回答|解答|正答|結論  ko: 정답|답|답변|결론
        ar: الإجابات|الإجابة|الاجابة|الجواب|إجابة|إجابتي|جوابي  th: คำตอบ|ตอบ""",
    RIGHT: """
        en: correct|right|best|true|fits|fit|matches|match|suits|suitable|fitting|appropriate|accurate|the most|most|
          better|apply|applies|consistent|most plausible|most likely|the most plausible|the most likely|remains|remain|
          is left|strongest|proper|ideal|
          closest|the only|makes the most sense|makes most sense|makes more sense
        de: richtig|richtige|richtigen|korrekt|korrekte|stimmt|stimmen|passt|passen|zutreffend|beste|besten
        fr: correct|correcte|correctes|corrects|exacte|exactes|bonne|bonnes|bon|juste|justes|convient|meilleure|
          la plus  es: correcta|correctas|correcto|correctos|mejor|adecuada|verdadera|acertada|la más
        pt: correta|corretas|correto|corretos|certa|certas|melhor|adequada|verdadeira|a mais
        it: corretta|corrette|corretto|giusta|giuste|esatta|esatte|migliore|adatta|la più
        nl: juist|juiste|correct|beste|goede  sv: rätt|bäst|bästa
        pl: poprawna|poprawne|poprawną|prawidłowa|prawidłowe|najlepsza|właściwa  cs: správná|správně|správné
        ru: правильный|правильные|правильно|правильным|верный|верные|верно|верны|верным|верна|подходит|лучший|
          правильна  tr: doğru|doğrudur|doğrusu|en uygun  vi: đúng|chính xác|phù hợp|hợp lý nhất
        id: benar|tepat|betul|terbaik  hi: सही|उपयुक्त  zh: 正确|正確|合理|合适|恰当|准确|最合适|最符合|最佳|符合|对的|
          最可能|最贴切
        ja: 正しい|適切|ふさわしい|最も  ko: 맞습|맞는|맞다|옳|올바|적절|알맞
        ar: الصحيحة|الصحيح|صحيحة|صحيح|الأنسب|الأفضل  th: ที่ถูกต้อง|ถูกต้อง|ถูก""",
    PICK: """
        en: choose|select|selecting|choosing|go with|going with|went with|go for|opt for|pick|say|vote for|settle on|
          settle for|stick with|stay with|lean towards|lean toward|lean to|leaning towards|leaning toward|lean|
          side with|decide on|decide for|bet on|put|mark|going for|can't be anything but|nothing but|chose|selected|
          answering|rate|classify|label|categorize|identify|judge|i'll take|i'd take|i take
        de: wähle|würde|nehme|tippe auf|entscheide mich für|wählen|nehmen
        fr: choisis|dirais|sélectionne|opte pour|choisirais|choisir|penche pour
        es: elijo|elegiría|escojo|selecciono|diría|elegimos|me quedo con|escogería
        pt: escolho|escolheria|seleciono|diria|fico com|marco  it: scelgo|sceglierei|seleziono|direi|opto per
        nl: kies|kiezen|zou  sv: väljer  pl: wybieram|wybieramy  ru: выбираю|выбрал бы|выбрала бы|выбираем
        tr: seçiyorum|seçerim  vi: chọn  id: memilih|pilih  hi: चुनता|चुनूंगा|चुनती
        zh: 选择|選擇|应选择|应选|應選|选|選|应该是|應該是  ja: 選びます|選択します|選ぶ
        ko: 선택합|선택하|고르|고릅  ar: أختار|اختار|نختار  th: เลือก""",
    SO: """
        en: so|therefore|thus|hence|consequently|accordingly|overall|finally|in conclusion|to conclude|in summary|
          to sum up|taken together|in short|i think|i believe|i suppose|i guess|confident|convinced|left with|
          suggests|suggest|indicates|indicate|implies|leaves|leaving|points to|point to|must be|has to be|gives|
          giving|supports|favors|favours|makes it|making it|if i had to choose|if i had to pick|if i have to|
          if i had to guess|if i had to|if i must|if forced|if you ask me|meaning|i.e|it would be|that would be|=>|->|→|
          ⇒
        de: also ist|ist also|sind also|also sind|daher|deshalb|folglich|somit|handelt sich um|bleibt|demnach|damit|
          insgesamt|ich denke|ich glaube
        fr: donc|ainsi|par conséquent|c'est|il reste|je pense
        es: por tanto|por lo tanto|entonces|así que|por eso|queda|creo que
        pt: portanto|logo|então|por isso|assim|resta|acho que  it: quindi|dunque|pertanto|perciò|resta|rimane
        nl: dus|daarom  sv: alltså|därför  pl: więc|zatem|dlatego
        ru: поэтому|следовательно|значит|итак|таким образом|остается|остаётся|думаю
        tr: bu yüzden|dolayısıyla|bu nedenle|yani|geriye  vi: vì vậy|do đó|vậy|nên|còn lại  id: jadi|oleh karena itu
        hi: इसलिए|अतः  zh: 因此|所以|故|综上所述|综上|剩下|于是|我认为|我觉得|那就是|总之
        ja: したがって|よって|従って|ゆえに|なので|だから|そのため|つまり|残るのは
        ko: 따라서|그러므로|그래서|결국|그러니  ar: لذلك|إذن|إذًا|لذا|بالتالي  th: ดังนั้น""",
    FINAL: """
        en: final|revised|corrected|updated|in the end|after all|ultimately|i change|changed|on balance
        de: endgültige|endgültig|letztlich|schließlich|korrigierte  fr: finale|définitive|corrigée
        es: final|definitiva|corregida|finalmente  pt: corrigida|definitivamente  it: definitiva|infine
        ru: итоговый|окончательный|окончательно|в итоге  vi: cuối cùng  id: akhir  hi: अंतिम  zh: 最终|最終|最后
        ja: 最終的|最終  ko: 최종  ar: النهائية|النهائي|أخيرا""",
    LINK: """
        en: is|are|was|were|be|being|seems|seem|appears|appear|seems to be|appears to be|appear to be|seem to be|
          looks|feels|feel|sounds|looks like|sounds like|seems like|there are about|there are around|equals|namely|
          it's|that's|'s|corresponds to|includes|include
        de: ist|sind|lautet|lauten|wäre|wären|scheint  fr: est|sont|serait|seraient  es: es|son|sería|serían
        pt: é|são|seria|seriam|está|estão  it: è|sono|sarebbe|sarebbero  nl: zijn  sv: är  pl: to|jest|są
        cs: je|jsou  ru: это|является|будет|будут  tr: şudur|olarak|olmalı|kalıyor|kalır  vi: là  id: adalah|yaitu|ialah
        hi: है|हैं  zh: 是|为|為  ja: です|は|が  ko: 입니다|은|는|이다  ar: هي|هو|هما|هم  th: คือ|เป็น""",
    OPTION: """
        en: option|options|letter|letters|statement|statements|reply|response|responses|sentence|utterance|item|
          items|alternative|case|one|ones|match|the reply with|the response with  de: option|optionen|buchstabe|aussage|
          aussagen|auswahl
        fr: option|options|lettre|proposition  es: opción|opciones|opcion|letra|alternativa
        pt: opção|opções|letra|alternativas  it: opzione|opzioni|lettera  nl: optie|opties
        sv: alternativ|alternativet  pl: opcja|opcję|litera  ru: вариант|варианты|вариантом|буква|под|пункт
        tr: şıkkı|şıkkıdır|seçeneği|seçenek|şık  vi: phương án|câu  id: opsi|pilihan|huruf  hi: विकल्प  zh: 选项|選項|项
        ja: 選択肢|記号  ko: 선택지|옵션|보기|번  ar: الخيار|الخيارات|الخياران|الحرف|رقم  th: ข้อ|ตัวเลือก""",
    GLUE: """
        en: let's|the|a|an|only|just|clearly|definitely|probably|likely|certainly|indeed|simply|both|it|this|that|
          here|my|our|i|i'd|i'll|i'm|we|would|will|shall|should|of|these|those|them|to|for|with|among|from|given|
          then|now|there|there's|you|your|very|rather|really|video|clip|person|all|in|on|at|and so|value|number|am|
          judging by|more|above|following|listed|ok|okay|sure|well|seem to|most probably|towards|as|by|and|me|going|
          can|to be|called|name|named|described|has|have|been|best known|best-known|most people|on the right|
          approximately|roughly|to the right|to the question|to this question|on the far right|right side|right hand|
          between the two|between them|between these|between both
        de: dass|die|der|das|den|nur|wahrscheinlich|ich|hier|wohl|richtigen|für|am|auf|frage|mich|ein|eine|
          vermutlich|dem|im
        fr: que|la|le|les|seule|seul|l|je|probablement|de|cette|ce|dans|il|s'agit|d|pour|ici|sans doute|une|un|
          sûrement  es: hay|que|el|los|solo|las|yo|probablemente|en|este|caso|de|me|por|un|una|se|trata
        pt: o|os|as|eu|provavelmente|neste|da|do|uma|um|de|na|no caso
        it: il|i|gli|solo|probabilmente|questo|di|lo|per  nl: het|de|waarschijnlijk|ik
        ru: только|что|я|здесь|скорее всего|вероятно|номер  vi: nhất|tôi|có lẽ
        id: yang|paling|saya|ini|tersebut|karena itu  hi: ही|का|की|के|में|यह
        zh: 邀请|申请|请求|不同|不错|不少|不仅|的|应当|只有|可能|大概|我|我会|最有|本题|此题|该题|应|這|这|视频|了|最
        ja: おそらく|たぶん|私|の|と|思います|思われます|だと|に|な|を|で|ます|これ|それ
        ko: 아마|저|이|가|을|를|로|의|것|생각|합니다|습니다|니다  ar: على الأرجح|ربما تكون  th: ครับ|ค่ะ""",
    NOT: """
        en: not|never|neither|nor|except|exclude|excluded|excludes|excluding|rather than|instead of|incorrect|wrong|
          false|unlikely|impossible|implausible|eliminate|eliminated|eliminates|discard|discarded|dismiss|dismissed|
          reject|rejected|ruled out|rule out|rules out|ruling out|absent|missing|lack|lacks|anything but|
          everything but|least|less|worst|worse|more than|fewer|no|none|hardly|barely|distractor|distractors|trap|
          mistake|mistakes|error|isn't|aren't|don't|doesn't|didn't|won't|wouldn't|wasn't|weren't|shouldn't|haven't|
          hasn't|avoid|avoids|than|misconception|other than|apart from|fails|fail|stops|stopped|is out|are out|far from|
          dismissive|
          unlike|but not|misleading|tempting|used to be|poor|bad|inappropriate|irrelevant|harmful|against|
          contradicts|incorrectly|opposite|ain't|neither of|nobody|no one|nothing
        de: nicht|kein|keine|keinen|nie|niemals|weder|noch|falsch|falsche|ausgeschlossen|außer|ohne|unwahrscheinlich|
          statt|sondern nicht|scheidet
        fr: pas|jamais|ni|fausse|faux|incorrecte|sauf|sans|aucune|aucun|exclue|éliminée|plutôt que|n'est
        es: nunca|ni|incorrecta|incorrectas|falsa|excepto|sin|ninguna|ninguno|descarta|descarto|salvo|tampoco|no es
        pt: não|nunca|nem|incorreta|incorretas|errada|erradas|falsa|exceto|sem|nenhuma|descarta|descarto
        it: non|mai|né|sbagliata|errata|falsa|tranne|senza|nessuna|esclusa  nl: niet|geen|onjuist|fout
        sv: inte|ingen|fel  pl: nie|błędna|żadna
        ru: не|нет|ни|неверно|неправильный|неверный|кроме|исключаем|исключён|без|нельзя
        tr: değil|değildir|yanlış|yanlıştır|değilse  vi: không|chẳng|sai|ngoại trừ|loại  id: bukan|tidak|salah|kecuali
        hi: नहीं|गलत|ग़लत  zh: 不|没|沒|错|錯|排除|除了|未  ja: ない|ません|ではな|じゃな|間違|誤|除外|違い|違う
        ko: 아니|아닙|않|없|틀린|틀렸|틀리|제외|못  ar: ليس|ليست|لا|خاطئ|خطأ|غير|استبعاد  th: ไม่|ผิด""",
    CANNOT: """
        en: cannot|can't|can not|could not|couldn't|unable|sorry|unclear|don't know|not sure|hard to say|
          hard to tell|difficult to|impossible to|i'm afraid|not certain|unsure|not possible|no access|apologize|
          not comfortable|won't say|close call|no reliable|no exact|no precise|no definite  de: leider|
          kann nicht  fr: désolé|désolée|je ne peux|impossible
        es: no puedo|lo siento|no se puede  pt: desculpe|não posso|não consigo  it: mi dispiace|non posso
        ru: не могу|извините|к сожалению|невозможно  vi: xin lỗi|không thể  id: maaf|tidak dapat|tidak bisa
        hi: क्षमा|माफ़  zh: 无法|無法|抱歉|不能|不清  ja: 申し訳|できません|わかりません|分かりません  ko: 죄송|수 없
        ar: آسف|لا أستطيع|لا يمكن|عذرا  th: ขออภัย|ไม่สามารถ""",
    IF: """
        en: if|unless|whether|otherwise|suppose|assuming|in case|provided that|depends|depending
        de: wenn|falls|sofern|ob|andernfalls|sonst|angenommen  fr: sinon|supposons  es: a menos|supongamos
        pt: senão|suponha  it: altrimenti|a meno  nl: als|tenzij|indien  ru: если|иначе|ли  vi: nếu|trừ khi
        id: jika|kalau|apabila  hi: यदि|अगर  tr: eğer  zh: 如果|假如|假设|要是|除非|否则|倘若|若
        ja: もし|場合|ならば|れば|とすると  ko: 만약|라면|이면|경우  ar: إذا|إن كان  th: ถ้า|หาก""",
    MAYBE: """
        en: might|may|could|maybe|perhaps|possibly|possible|also|equally|plausible|consider|considering|candidate|
          candidates|between|initially|at first|at the beginning|in the beginning|at the start|in the middle|tempted|
          either|naively|originally|previously|earlier|was going|why|too|as well|alternatively|leaned|valid|test|
          check|looking at|look at|pretend|pretends|pretending|tries to|trying to|tried to|used to|question|compare|
          compared|asks|as if|imagine|hint|define|so is|so are|and so is|and so are|wants|want|wishes|hopes|as for|
          regarding|concerning
        de: auch|möglich|vielleicht|könnte|könnten|ebenfalls|zuerst|zunächst|entweder|warum|möglicherweise
        fr: aussi|possible|peut-être|pourrait|pourraient|d'abord|soit|également
        es: también|posible|quizás|quizá|tal vez|podría|podrían|primero|puede
        pt: também|possível|talvez|poderia|primeiro|pode  it: anche|possibile|forse|potrebbe|prima
        ru: тоже|также|возможно|может|сначала|возможен|либо  vi: cũng|có thể|ban đầu  id: juga|mungkin|awalnya|bisa
        hi: भी|शायद  zh: 也许|或许|有可能|也可能|可能也|一开始|起初|考虑|干扰|很多人|有人|许多人|也|乍一看
        ja: かもしれ|可能性|最初は|多くの人|も考え  ko: 수도|가능|처음에는|많은 사람  ar: ربما|قد|أيضا|
          أيضًا  th: อาจ""",
    OTHERS: """
        en: many|some|others|someone|somebody|people would|most people|you|they would|another|one might|one could|
          annotators|raters|poll|voted|votes|second choice|second best|runner-up|close second|common|everyone|viewers|
          users|says|claims|thinks|believes|argues|suggested|says that|replies that|said that|answers that|shouts that|
          insists that|announces that|reads|most of|he would|she would  de: viele|manche|man
        fr: beaucoup|certains  es: muchos|algunos  pt: muitos|alguns  it: molti|alcuni  ru: многие|некоторые
        id: banyak""",
    EXAMPLE: """
        en: for example|for instance|e.g|example|examples|format|formats|template|in the form|such as|would look|
          instructions|instruction|placeholder|please|reply with|respond with|answer with|choose from|select from|
          pick from|asked me to|asked to|asks to|task is|select the|choose the|select all|choose all|tags|in a box|
          exactly one|only the letter|letter only|select one  de: zum beispiel|beispiel|beispielsweise|format|bitte
        fr: par exemple|exemple|format|veuillez  es: por ejemplo|ejemplo|formato|por favor  pt: por exemplo|exemplo
        it: per esempio|ad esempio|esempio  ru: например|пример|формат|пожалуйста|формате
        vi: ví dụ|định dạng|vui lòng  id: misalnya|contoh  hi: उदाहरण|प्रारूप|कृपया
        zh: 例如|比如|格式|示例|例子|请|請|形如  ja: 例えば|たとえば|例:|形式|ください
        ko: 예를 들어|예:|형식|하세요  ar: على سبيل المثال|مثال|مثلا|صيغة  th: ตัวอย่าง|รูปแบบ""",
    WAIT: """
        en: wait|hmm|hmmm|hold on|actually|on second thought|on further thought|on reflection|on closer look|
          correction|let me correct|let me reconsider|let me rethink|let me recheck|let me double|scratch that|
          i was wrong|my mistake|that's wrong|that is wrong|that was wrong|that's not right|take that back|
          take it back|change my answer|change my mind|oops|looking again|on second look|on a second look|i misread|
          i meant|i mean|strike that|or rather|i correct
        de: moment|warte|eigentlich|korrektur|doch nicht|genauer betrachtet|halt|nein
        fr: attendez|attends|en fait|correction|à la réflexion|pardon
        es: espera|espere|en realidad|corrección|mejor dicho|perdón|me equivoqué|rectifico
        pt: espera|espere|na verdade|correção|perdão|melhor dizendo
        it: aspetta|in realtà|correzione|anzi|ripensandoci|scusa  nl: wacht|eigenlijk|correctie
        ru: подожди|подождите|постойте|стоп|на самом деле|исправляю|исправление|точнее|хотя нет
        tr: bekle|aslında|düzeltme  vi: khoan|thực ra|đợi đã|sửa lại  id: tunggu|sebenarnya|koreksi|ralat
        hi: रुकिए|रुको|वास्तव में|असल में|सुधार  zh: 等等|等一下|不对|不對|更正|其实|仔细一想|重新|修正|说错
        ja: 待って|いや|訂正|やっぱり|実は|違います|修正  ko: 잠깐|잠시만|정정|사실은|다시 보니|수정|아니,
        ar: انتظر|لحظة|في الواقع|تصحيح|عفوا  th: เดี๋ยว|แก้ไข""",
    AND: """
        en: and|plus|together with|as well as  de: und|sowie  fr: et  es: y  pt: e  nl: en  sv: och  pl: oraz  ru: и
        tr: ve  vi: và  id: dan  hi: और  zh: 和|与|及|以及|跟|還有|还有|并且  ja: と|および|及び
        ko: 와|과|및|하고|그리고  ar: و  th: และ""",
    OR: """
        en: or|versus|vs  de: oder  fr: ou  es: o  pt: ou  it: oppure  sv: eller  pl: lub|albo|czy  ru: или
        tr: veya|ya da  vi: hoặc  id: atau  hi: या  zh: 或者|或是|或|还是  ja: または|もしくは|か
        ko: 또는|혹은|이나  ar: أو  th: หรือ""",
    BUT: """
        en: but|however|although|though|while|whereas|yet|on the other hand  de: aber|sondern|jedoch|während
        fr: mais|cependant|tandis que  es: pero|sino|sin embargo|mientras  pt: mas|porém|enquanto
        it: ma|però|mentre  nl: maar  pl: ale|lecz  ru: но|а|однако  tr: ama|ancak  vi: nhưng|mà
        id: tetapi|tapi|namun|melainkan  hi: लेकिन|बल्कि  zh: 但是|但|而是|不过|而
        ja: しかし|ですが|ますが|ましたが|けど  ko: 하지만|그러나|지만  ar: لكن|بل  th: แต่""",
    BECAUSE: """
        en: because|since|due to|given that|based on|considering that|as he|as she|as they|as the|as there|
          as a|as his|as her|as their|who|which|when|where|after|before  de: weil|denn|da|wegen
        fr: parce que|puisque  es: porque|ya que|pues|puesto que  pt: porque|pois|já que|ao  it: perché|poiché|siccome
        nl: omdat  pl: ponieważ|bo  ru: потому что|поскольку|так как|ведь  tr: çünkü  vi: vì|bởi vì
        id: karena|sebab  hi: क्योंकि  zh: 因为|由于|因  ja: ので|から|ため  ko: 때문|므로|어서  ar: لأن|بسبب
        th: เพราะ""",
    NAMED: """
        en: person|speaker|plan|team|group|vitamin|type|class|grade|hepatitis|block|section|part|row|gate|line|
          player|man|woman|room|size|student|figure|camera|channel|clip|video|image|picture|scene|model|point|side|
          voice|actor|patient|street|level|exhibit|appendix|bus|train|series|version|party|participant|annotator|
          step|sample|frame|phase  de: sprecher|gruppe|typ|klasse  fr: personne|groupe|équipe|locuteur
        es: persona|grupo|equipo|hablante  pt: pessoa|equipe  ru: человек|группа|говорящий|план
        zh: 人物|计划|组|说话人|队|角色  ja: 人物|話者|チーム  ko: 사람|화자|팀""",
}
"""Roles of words in responses that choose options."""

_COUNTS = {
    PEOPLE: """
        en: people|person|persons|individuals|individual|speakers|speaker|faces|face|voices|voice|participants|
          participant|characters|character|humans|human|times|time|laughs|hands|identities|figures|folks|talkers
        de: personen|person|menschen|leute|sprecher|sprecherinnen|stimmen|stimme|gesichter|mal
        fr: personnes|personne|gens|locuteurs|voix|visages|fois|individus
        es: personas|persona|hablantes|voces|caras|rostros|veces|individuos
        pt: pessoas|pessoa|falantes|vozes|rostos|vezes|indivíduos
        it: persone|persona|parlanti|voci|volti|volte|individui  nl: mensen|personen|sprekers|keer
        pl: osoby|osób|ludzi|osoba
        ru: человек|человека|людей|голоса|голосов|голос|говорящих|лица|лиц|лицо|раза|раз|спикера
        tr: kişi|insan|ses|kere|kez  vi: người|giọng nói|giọng|lần|khuôn mặt  id: orang|pembicara|kali|wajah|suara
        hi: लोग|व्यक्ति|लोगों|बार|आवाज़ें|चेहरे|वक्ता  zh: 人|说话者|說話者|人物|角色|说话人|次|声音|人脸|面孔|位|名
        ja: 人|名|回|声  ko: 명|사람|번|목소리  ar: أشخاص|شخصا|شخص|شخصين|شخصان|متحدثين|أصوات|مرات|متحدثون
        th: คน|ครั้ง""",
    GROUP: """
        en: men|man|women|woman|boys|boy|girls|girl|children|child|kids|kid|adults|adult|baby|babies|guys|guy|
          members|member|students|student|friends|friend|players|player|guests|guest|actors|actor|ladies|lady|
          gentlemen|males|male|females|female|teenagers|teenager|passengers|waiters|waiter|host|dancers|singers|
          musicians|tourists  de: männer|frauen|mann|frau|kind|kinder|jungen|mädchen
        fr: hommes|homme|femmes|femme|enfants|enfant|garçons|filles|fille
        es: hombres|hombre|mujeres|mujer|niños|niñas|niño|niña
        pt: homens|homem|mulheres|mulher|crianças|criança|meninos|meninas|menino|menina
        it: uomini|uomo|donne|donna|bambini|bambino|bambina
        ru: мужчин|мужчины|мужчина|женщин|женщины|женщина|детей|ребенок|ребёнок|девочки|девочка|мальчик|мальчика
        vi: đàn ông|phụ nữ|đứa trẻ|cô gái  id: pria|wanita|anak  hi: पुरुष|महिला|महिलाएं|महिलाएँ|बच्चे|बच्चा|आदमी|औरत
        zh: 男子|女子|男人|女人|男性|女性|孩子|小孩|老人|儿童|成人|学生|先生|小姐|女士|男士|男孩|女孩
        ja: 男性|女性|子供|子ども|大人|男の|女の  ko: 남자|여자|아이|남성|여성  ar: رجال|رجل|نساء|امرأة|أطفال|طفل""",
    SUM: """
        en: in total|in all|altogether|total|total of|overall|all together|sum|makes|make|makes it
        de: insgesamt|zusammen|summe  fr: au total|en tout|total  es: en total|total  pt: no total|ao todo
        it: in totale|in tutto  ru: всего|в сумме|итого  tr: toplam  vi: tổng cộng|tất cả  id: total|jumlah|semuanya
        hi: कुल  zh: 一共|总共|總共|共有|共计|共|总计|合计  ja: 合計|全部で|計  ko: 총|모두|합계|전체
        ar: المجموع|إجمالي|مجموع""",
    NOBODY: """
        en: no one|noone|no-one|nobody|no people|no person|no persons|no speakers|no speaker|no humans|no faces|
          no voices|no individuals|none|zero people|never|no man|no men|no woman|no women|no boys|no girls|no child|
          no children|no kids|no adults|not a single|no other people|
          neither|neither of|none of|not one of|not once|not any
        de: niemand|niemanden|keiner|keine person|keine personen|keine menschen
        fr: aucune personne|personne ne|n'y a personne|aucun visage  es: nadie|ninguna persona
        pt: ninguém|nenhuma pessoa  it: nessuno|nessuna persona  ru: никого|никто|нет людей|людей нет
        vi: không có ai|không có người|không ai  id: tidak ada orang|tidak ada
        zh: 没有任何人|没有人|没人|無人|无人|沒有人  ja: 誰も  ko: 아무도|사람이 없  ar: لا أحد|لا يوجد أحد""",
    ROUGHLY: """
        en: might|may|maybe|perhaps|possibly|at least|at most|more than|less than|fewer than|over|under|between|
          about|around|nearly|almost|up to|not sure|several|few|half|hundred|hundreds|thousand|
          thousands|million|dozens|couple|minus|negative|point|isn't|can't|cannot|could|thirds|third|unclear|either|
          unable|would|sorry|plus or minus|no more|another|the other|the rest|the others|remain|before|mentioned|
          there should be|speaks of|speak of|talks of|refers to
        de: mindestens|etwa|ungefähr|circa|höchstens|vielleicht|mehrere  fr: au moins|environ|peut-être|plusieurs
        es: al menos|unas|unos|aproximadamente|quizás|varias  pt: pelo menos|cerca de|aproximadamente|talvez|várias
        it: almeno|circa|forse|diverse  ru: около|примерно|минимум|может|несколько|не менее  tr: en az|yaklaşık
        vi: ít nhất|khoảng|có thể  id: sekitar|setidaknya|mungkin|beberapa  hi: कम से कम|लगभग|कई
        zh: 大约|大概|至少|左右|最多|可能|不到|超过|好几|几个|很多|左右两
        ja: 少なくとも|約|くらい|ぐらい|以上|かもしれ  ko: 적어도|약 |정도|이상|여러  ar: على الأقل|حوالي|تقريبا""",
}
"""Further roles in responses that count."""

_YES = """
    en: yes|true|correct|right|present|visible|selected|chosen|checked|applies|likely|supported|shown|seen|clearly
    de: ja|richtig|wahr|stimmt|sichtbar  fr: oui|vrai|correct  es: sí|verdadero|correcto  pt: sim|verdadeiro|correto
    it: sì|vero|corretto  ru: да|верно|правильно  vi: có|đúng  id: ya|benar  hi: हाँ|हां|सही  zh: 是|对|對|正确|有
    ja: はい|正しい|あり  ko: 예|네|맞음|있음  ar: نعم|صحيح"""

_NUMBERS = """
    en: zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
      seventeen eighteen nineteen twenty  en-times: _ once twice thrice  en-one: _ single
    en-groups: _ solo pair trio  de: null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf
    de-other: null eine zwei  de-alone: null eins zwei
    fr: zéro un deux trois quatre cinq six sept huit neuf dix onze douze  fr-feminine: zéro une
    es: cero un dos tres cuatro cinco seis siete ocho nueve diez once doce  es-other: cero una  es-alone: cero uno
    pt: zero um dois três quatro cinco seis sete oito nove dez onze doze  pt-feminine: zero uma duas
    it: zero un due tre quattro cinque sei sette otto nove dieci undici dodici
    ru: ноль один два три четыре пять шесть семь восемь девять десять
    ru-persons: _ _ двое трое четверо пятеро шестеро семеро  ru-feminine: ноль одна две
    nl: nul een twee drie vier vijf zes zeven acht negen tien
    pl: zero jeden dwie trzy cztery pięć sześć siedem osiem dziewięć dziesięć  pl-persons: _ _ dwoje troje czworo
    tr: sıfır bir iki üç dört beş altı yedi sekiz dokuz  vi: _ một hai ba bốn năm sáu bảy tám chín mười
    id: nol satu dua tiga empat lima enam tujuh delapan sembilan sepuluh  id-persons: _ seorang
    hi: शून्य एक दो तीन चार पांच छह सात आठ नौ दस  hi-other: शून्य एक दो तीन चार पाँच छः
    ar: صفر واحد اثنان ثلاثة أربعة خمسة ستة سبعة ثمانية تسعة عشرة  ar-pair: صفر شخص شخصان ثلاث أربع خمس
    ar-other: صفر واحدة اثنين  zh: 零 一 二 三 四 五 六 七 八 九 十 十一 十二  zh-pair: 零 一 两
    ko: 영 한 두 세 네 다섯 여섯 일곱 여덟 아홉 열  ko-alone: 영 하나 둘 셋 넷  th: ศูนย์ หนึ่ง สอง สาม สี่ ห้า"""
"""Numbers in words, from nought on; `_` where a row has no word. Rows of "persons" count people by themselves."""

_TURNS = """
    en: question|q|human|user|instruction|input|problem|example|student|exercise|new question|next question|
      your task|follow-up question  de: frage|aufgabe|nutzer|benutzer  fr: question|utilisateur
    es: pregunta|usuario  pt: pergunta|questão|usuário  it: domanda|utente  nl: vraag|gebruiker
    ru: вопрос|пользователь  vi: câu hỏi|người dùng  id: pertanyaan|pengguna  hi: प्रश्न|सवाल
    zh: 问题|問題|题目|題目|用户|用戶|问|人类  ja: 質問|ユーザー|問題|問  ko: 질문|사용자|문제
    ar: السؤال|سؤال|المستخدم"""
"""Names at the start of a line with which a base model goes on with another question or another turn."""

_ALL = """
    en: all of the above|all of them|all of these|all four|all options|all the options|all answers|everything|
      all of the options|all apply|all are correct|all options are correct|all options apply|
      all of the above are correct|all four options|all four are correct|all five
    de: alle|alle optionen|alle sind richtig|alle antworten sind richtig|alle vier|alles davon
    fr: toutes|toutes les réponses|toutes les options|toutes sont correctes|toutes les réponses sont correctes
    es: todas|todas las anteriores|todas las opciones|todas son correctas|todas las opciones son correctas
    pt: todas|todas as anteriores|todas as alternativas|todas as opções|todas estão corretas
    it: tutte|tutte le precedenti|tutte le opzioni|tutte sono corrette
    ru: все|все варианты|все перечисленное|все вышеперечисленное|все верны|все варианты верны
    vi: tất cả|tất cả các phương án|tất cả các đáp án|tất cả đều đúng|tất cả các phương án trên
    id: semua|semua pilihan|semua benar|semua jawaban benar|semua di atas  hi: उपरोक्त सभी|ये सभी
    zh: 以上都是|以上都对|以上皆是|以上全部|以上全选|全选|全部|全部正确|都对|都正确|都选|所有选项|所有选项都正确|
      全部都对  ja: すべて|全て|全部|すべて正しい|すべて正解|上記すべて|上記のすべて|すべてです
    ko: 모두|모두 정답|모두 맞습니다|전부|모두 해당됩니다  ar: جميع ما سبق|جميع الخيارات|كل ما سبق"""
"""Whole answers to a multi-select that choose every option."""

YES_SIGNS, NO_SIGNS = "✓✔✅√☑🗸⭕○◯👍", "✗✘❌×☐✖🚫👎"

Roles = dict[str, str]
"""Words and their roles."""


def _rows(table: str) -> list[tuple[str, str]]:
    """The languages and the words of a table."""
    parts = re.split(r"(?:^|\s)\s*([a-z]{2}(?:-[a-z]+)?): ", " ".join(unicodedata.normalize("NFKC", table).split()))
    return [(name, re.sub(r"\| ", "|", row)) for name, row in zip(parts[1::2], parts[2::2], strict=True)]


def _words(table: str) -> list[str]:
    return [word for _, row in _rows(table) for word in row.split("|")]


def _roles(tables: Iterable[tuple[str, str]]) -> tuple[Roles, Roles]:
    """The words of languages that write spaces, and the words that are found within a run of letters."""
    spaced: Roles = {}
    unspaced: Roles = {}
    for role, table in tables:
        for language, row in _rows(table):
            (unspaced if language in UNSPACED else spaced).update(dict.fromkeys(row.split("|"), role))
    return spaced, unspaced


CHOICE_ROLES = _roles(_CHOICES.items())
COUNT_ROLES = _roles([*_CHOICES.items(), *_COUNTS.items()])
ANSWERS, TURNS, ALL_OPTIONS, YES = (_words(table) for table in (_CHOICES[ANSWER], _TURNS, _ALL, _YES))
ENGLISH_PICKS = set(dict(_rows(_CHOICES[PICK]))["en"].split("|"))
"""Words that have the same form when somebody else chooses."""
ENGLISH_NUMBERS = dict(_rows(_NUMBERS))["en"].split()
NUMBERS: dict[str, int] = {}
"""Numbers in words, with their values."""
PERSONS: set[str] = set()
"""Numbers that count people or times by themselves ("twice")."""
for _name, _row in _rows(_NUMBERS):
    for _value, _word in enumerate(_row.split()):
        if _word != "_":
            NUMBERS.setdefault(_word, _value)
    if _name.endswith(("times", "persons")):
        PERSONS.update(set(_row.split()[1:]) - {"_"})
