"""The words and signs that strict@2 knows: all of them, as data. docs/strict.md is the grammar.

`WORDS` gives each word (lower case) its class; `SIGNS` does so for single characters.
A word that is not here is only a word: between two numbers it keeps them apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final


class Kind:
    """What a word or sign does in an answer (strings: members of an enum compare slowly)."""

    SECONDS: Final = "a unit: seconds"
    OTHER: Final = "a unit, or a word for one, that is not seconds"
    MINUTES: Final = "minutes or hours: not seconds, unless seconds follow, as in 1 min 5 s"
    TO: Final = "joins a start and an end"
    DASH: Final = "joins a start and an end; also a minus sign, a bullet, or a mark after a number"
    AND: Final = "joins a start and an end, or two spans"
    START: Final = "names the start"
    END: Final = "names the end"
    LENGTH: Final = "says that a number, before or after it, is a length or a score, not a time"
    LASTING: Final = "as LENGTH, before a number only"
    NUMBERED: Final = "is followed by its number: event 1, scene 3"
    LABEL: Final = "may be followed by its number: interval 1"
    INDEX: Final = "between such a word and its number: frame no. 12"
    FILLER: Final = "changes nothing: at, about, the"
    FUNCTION: Final = "may follow a span, unlike what is counted"
    ASSIGN: Final = "stands between a name and its number"
    COMMA: Final = "separates the parts of a list"
    LINE: Final = "ends a line"
    STOP: Final = "ends a sentence"
    OPEN: Final = "opens a bracket"
    CLOSE: Final = "closes a bracket"
    ORDINAL: Final = "makes a number an ordinal: 5th"
    MARK: Final = "mark-up: ignored"
    LETTER: Final = "a capital: an option"
    WORD: Final = "any other word"


_WORDS: Mapping[str, str] = {
    Kind.SECONDS: (
        "s sec secs second seconds sek sekunde sekunden seconde secondes segundo segundos secondo "
        "secondi сек секунд секунда секунды секунду 秒 秒钟 秒鐘 초"
    ),
    Kind.MINUTES: (
        "m min mins minute minutes h hr hrs hour hours minuten minuto minutos stunde stunden heure "
        "heures hora horas 分 分钟 分鐘 小时 小時 분 시간"
    ),
    Kind.OTHER: (
        "frame frames keyframe keyframes framenumber frameno fr bild bilder "
        "einzelbild einzelbilder trame trames "
        "image images fotograma fotogramas 帧 帧号 帧数 关键帧 幀 フレーム 프레임 "
        "fps hz khz bpm "
        "day days week weeks month months year years yr yrs tag tage jahr jahre "
        "ms msec msecs millis milli millisec millisecond milliseconds millisekunde millisekunden "
        "milliseconde millisecondes milisegundo milisegundos us usec microsecond microseconds ns "
        "nanosecond nanoseconds 毫秒 ミリ秒 밀리초 "
        "percent percents percentage percentages pct pc per cent prozent pourcent pourcentage "
        "porcentaje permille 百分之 百分比 パーセント 퍼센트 "
        "fraction fractions ratio ratios proportion "
        "proportions norm normalized normalised relative "
        "fractional tick ticks token tokens beat beats "
        "px pixel pixels mm cm km kg g lb lbs ft feet foot inch inches meter meters metre metres "
        "mile miles mph kmh kph dollar dollars usd eur euro euros degree degrees"
    ),
    Kind.TO: (
        "to until till til through thru upto bis jusqu jusque à hasta 至 到 から 부터 "
        "\\to \\rightarrow \\longrightarrow \\Rightarrow \\Longrightarrow \\rarr \\sim \\leadsto "
        "\\mapsto al по до"
    ),
    Kind.AND: "and und et 和 与 與 及",
    Kind.START: (
        "start starts started starting startet begin begins began begun beginning beginnings from "
        "between onset commence commences commencing anfang beginn von zwischen de entre début "
        "débute dal 从 從 自 开始 開始 时开始 時開始 处开始 左右开始 始于 始於 起始 起点"
    ),
    Kind.END: (
        "end ends ended ending endet finish finishes finished finishing stop stops stopped "
        "stopping offset conclude concludes concluding ende fin finit 结束 結束 时结束 時結束 "
        "处结束 左右结束 止于 止於 终止 终点 止"
    ),
    Kind.LENGTH: (
        "duration durations length lengths long later ago apart earlier each dauer durée 持续 时长 "
        "總長 总长 "
        "confidence confidences conf certainty probability probabilities prob likelihood score "
        "scores scored rating rank iou id ids idx index indices count counts "
        "total rate version resolution size "
        "sizes width height dimensions aspect age ages aged old temperature weight price "
        ""
        "january february march april june july august september october november december "
        "jan feb mar apr jun jul aug sep sept oct nov dec may date dated "
        "置信度 得分 岁 歲 年 月 日"
    ),
    Kind.LASTING: "for not last lasts lasted lasting take takes took taking 不是",
    Kind.NUMBERED: (
        "event events scene scenes step steps shot shots part parts clip clips video videos option "
        "options example examples case cases item items stage stages phase phases instance "
        "instances occurrence occurrences query queries question questions task tasks action "
        "actions activity activities camera cameras player players figure figures sentence "
        "sentences caption captions number num no nr person round rounds chapter chapters episode "
        "episodes page pages verse room rooms floor "
        "floors lane lanes level levels channel channels chunk chunks "
        "ereignis szene schritt événement scène étape 事件 场景 場景 步骤 步驟 片段"
    ),
    Kind.LABEL: (
        "interval intervals span spans segment segments range ranges period moment moments window "
        "answer answers timestamp timestamps time zeit temps prediction result output final "
        "boundary boundaries unit units type 时间 時間 答案 时刻 区间 时间段"
    ),
    Kind.INDEX: "indexes indexed nos numbers numbered nummer numéro",
    Kind.FILLER: (
        "the at about approximately approx around roughly nearly almost circa ca c exactly "
        "precisely just right mark marks point position t ts "
        "up of is are was were in etwa ungefähr rund "
        "environ vers um bei le la les des del ranging spanning 第 约 約 大约 大約 大概 左右 在 "
        "的 为 是 之间 之間 处 處 时 時 まで 까지 より \\approx \\text"
    ),
    Kind.FUNCTION: (
        "a an as on or but so if that which who when where while because since with by during "
        "into onto onwards inclusive he she it they we i you this these those there here his her "
        "its their be been has have had does do did will would can could should "
        "then now after before also only both respectively shows show showing depicts happens "
        "happen happening occurs occur occurring seen visible appears appear uhr 以及 期间"
    ),
    Kind.ORDINAL: "st nd rd th",
}
_SIGNS: Mapping[str, str] = {
    Kind.OTHER: "%‰°℃€£¥",
    Kind.TO: "→",
    Kind.AND: "&",
    Kind.NUMBERED: "#№",
    Kind.FILLER: "≈",
    Kind.ASSIGN: ":=",
    Kind.COMMA: ",;、|/",
    Kind.LINE: "\n",
    Kind.STOP: ".!?。",
    Kind.OPEN: "[(【（",
    Kind.CLOSE: "])】）",
}


def _classes(table: Mapping[str, Iterable[str]]) -> dict[str, str]:
    return {entry: kind for kind, entries in table.items() for entry in entries}


WORDS: Mapping[str, str] = _classes({kind: words.split() for kind, words in _WORDS.items()})
SIGNS: Mapping[str, str] = _classes(_SIGNS)
ABBREVIATIONS = ("approx", "ca", "c", "no", "nr", "num", "s", "sec", "secs", "sek", "seg", "min")
# Statements, besides those of strict@1, that the event never happens, and that there is no answer.
NEVER = re.compile(
    "(?:没有|未|从未|并未|不会|没)(?:发生|出现|显示|展示)|不存在"
    "|没有(?:找到|发现)?(?:相关|该|此|这个|这样|对应)的?(?:事件|片段|场景|动作|内容|时刻)"
    r"|\b(?:kommt|passiert|geschieht)\b.{0,40}\b(?:nicht|nie)\b",
    re.IGNORECASE,
)
NO_ANSWER = re.compile(
    "(?:无法|不能|难以)(?:确定|判断|回答|识别|给出)|抱歉|对不起"
    r"|\bunable to (?:determine|answer|identify|locate|say)\b"
    r"|\bcan(?:not|['’]t| not) (?:be )?(?:determine|answer|identif|locate|say)",
    re.IGNORECASE,
)
