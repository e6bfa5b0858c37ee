"""What a prompt asks of a picture: a table of English and Chinese words, and the reading of a prompt with it.

Pure functions of text. No word is dropped in silence: what the table does not know comes back as `unknown`.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass, replace
from typing import Any

from . import STYLES

DEFAULT_STYLE = "film"
MAX_STYLES = 3
MAX_WORDS_SHOWN = 8

# Each row: what it means, how much of it, and the words for it. A meaning is a style or a field of `Edit`.
WORDS: tuple[tuple[str, float, str], ...] = (
    (
        "cartoon",
        1,
        "cartoon|cartoons|cartoonish|anime|toon|animated|animation|ghibli|disney|pixar|卡通|动漫|动画|二次元|吉卜力|宫崎骏",
    ),
    ("comic", 1, "comic|comics|comic book|graphic novel|manga|superhero|漫画|美漫|连环画"),
    ("film", 1, "film|cinematic|cinema|movie|analog|analogue|retro|胶片|电影|电影感|复古"),
    ("halftone", 1, "halftone|half tone|newspaper|newsprint|printed|cmyk|半调|网点|报纸|印刷"),
    (
        "ink",
        1,
        "ink|inked|ink drawing|ink painting|line art|lineart|woodcut|linocut|水墨|水墨画|墨水|线稿|线描|版画|木刻",
    ),
    ("lowpoly", 1, "lowpoly|low poly|polygon|polygons|triangles|geometric|低多边形|多边形|几何"),
    ("neon", 1, "neon|cyberpunk|glowing|synthwave|vaporwave|tron|霓虹|霓虹灯|赛博朋克|发光"),
    ("noir", 1, "noir|film noir|dramatic black and white|黑色电影"),
    ("oil", 1, "oil|oils|oil painting|oil paint|impasto|impressionist|van gogh|monet|油画|梵高|印象派|莫奈"),
    ("pencil", 1, "pencil|pencil sketch|pencil drawing|graphite|charcoal|crayon|铅笔|铅笔画|素描|速写|炭笔"),
    ("pixel", 1, "pixel|pixels|pixel art|pixelart|pixelated|8 bit|16 bit|sprite|minecraft|像素|像素画|像素风|马赛克"),
    ("pop", 1, "pop|pop art|popart|warhol|poster|silkscreen|posterize|波普|波普艺术|海报|丝网"),
    ("sepia", 1, "sepia|vintage|antique|old photo|nostalgic|daguerreotype|棕褐色|老照片|怀旧|泛黄"),
    ("watercolor", 1, "watercolor|watercolour|watercolors|watercolours|aquarelle|gouache|水彩|水彩画|水粉"),
    ("brightness", 0.5, "bright|brighter|brighten|lighter|lighten|明亮|亮|变亮|提亮|调亮|更亮"),
    ("brightness", -0.5, "dark|darker|darken|dim|dimmer|moody|暗|变暗|调暗|更暗|昏暗|阴暗"),
    (
        "contrast",
        0.5,
        "contrast|contrasty|more contrast|high contrast|punchy|dramatic|对比|对比度|高对比|高对比度|强对比|强对比度",
    ),
    ("contrast", -0.4, "less contrast|low contrast|flat|faded|matte|hazy|低对比|低对比度|褪色|朦胧"),
    ("warmth", 0.6, "warm|warmer|sunset|sunny|golden|golden hour|autumn|暖|暖色|暖色调|温暖|日落|夕阳|金色|秋天"),
    ("warmth", -0.6, "cool|cooler|cold|colder|icy|winter|frosty|冷|冷色|冷色调|寒冷|冬天"),
    (
        "saturation",
        0.6,
        "vivid|vibrant|colorful|colourful|saturated|saturate|saturation|鲜艳|艳丽|饱和|饱和度|多彩|色彩丰富",
    ),
    ("saturation", -0.5, "muted|pastel|pale|desaturated|desaturate|subdued|淡雅|柔和色彩|低饱和|淡色"),
    ("saturation", -1, "black and white|black white|b&w|bw|monochrome|grayscale|greyscale|gray|grey|黑白|灰度|单色"),
    ("blur", 1, "blur|blurry|blurred|defocus|out of focus|模糊|虚化"),
    ("blur", 0.25, "soft|softer|soften|dreamy|柔和|柔焦|梦幻"),
    ("sharpness", 0.7, "sharp|sharper|sharpen|crisp|crisper|锐化|清晰|更清晰|锐利"),
)
# These name a style only where the prompt names no other: "a watercolor painting" is not an oil painting too.
VAGUE: tuple[tuple[str, str], ...] = (
    ("oil", "painting|painted|paint|canvas|brush strokes|brushstrokes|绘画|油彩|画布"),
    ("pencil", "drawing|drawn|draw|sketch|sketched|sketchy|手绘|草图|画画"),
    ("pop", "art|artistic|illustration|艺术|插画"),
)
# What multiplies the next word's amount.
DEGREES: tuple[tuple[float, str], ...] = (
    (0, "no|not|dont|don't|do not|without|never|less|不|不要|不用|别|没有|无"),
    (0.5, "slightly|slight|subtle|subtly|a bit|a little|bit|little|gently|gentle|light|稍微|稍|略|略微|一点|轻微|有点"),
    (1.5, "very|strongly|strong|much|really|extremely|heavily|heavy|super|非常|很|十分|特别|超|强烈|极"),
)
FILLERS = (
    "a|an|the|this|that|it|its|it's|my|our|your|me|us|i|we|you|to|into|in|of|on|with|and|or|as|like|for|from|by|is|be|"
    "make|makes|making|made|turn|turns|convert|change|transform|apply|give|add|use|put|set|create|render|redo|edit|"
    "please|but|can|could|would|want|look|looks|looking|feel|feeling|more|some|all|whole|just|only|should|them|him|her|"
    "image|picture|photo|photograph|photos|pic|portrait|style|styled|effect|filter|filters|version|tone|tones|color|"
    "colors|colour|colours|mood|vibe|atmosphere|hd|4k|8k|quality|beautiful|nice|"
    "把|将|给|让|使|请|帮|我|你|它|这|那|个|张|幅|图|图片|照片|图像|画面|变|变成|变为|变得|成|改|改成|改为|转|转换|转成|"
    "转为|做|做成|为|的|地|得|了|一|一张|一个|一幅|些|点|更|更加|风格|风|效果|滤镜|加|加上|添加|用|和|与|并|且|以及|整体|"
    "色调|颜色|色彩|看起来|像|一样|有|是|在|处理|生成|制作|画|画成|感|感觉|氛围|调|调成|调整|增加|增强|提高|降低|人物|肖像"
)


@dataclass(frozen=True, slots=True)
class Edit:
    """What to do, in this order: the styles, then the adjustments, each about -1..1 with 0 for none."""

    styles: tuple[str, ...] = ()
    brightness: float = 0.0
    contrast: float = 0.0
    warmth: float = 0.0
    saturation: float = 0.0
    blur: float = 0.0
    sharpness: float = 0.0
    warnings: tuple[str, ...] = ()


def plan(prompt: str) -> Edit:
    """Read a prompt. One without any edit that the table knows gets a light film look, and says so."""
    text = unicodedata.normalize("NFKC", prompt).casefold().replace("’", "'")
    styles: dict[str, None] = {}
    vague: dict[str, None] = {}
    amounts: dict[str, Any] = {}
    unknown: list[str] = []
    degree = 1.0
    for match in TOKEN.finditer(text):
        known = SEPARATORS.sub(" ", match["known"] or "")
        if not known:
            degree = 1.0  # "not my face, watercolor" forbids no watercolor
            if match["word"]:
                unknown.append(match["word"])
        elif known in DEGREE_OF:
            degree = DEGREE_OF[known]
        elif known in MEANINGS:
            meaning, amount = MEANINGS[known]
            if meaning not in STYLES:
                amounts[meaning] = amounts.get(meaning, 0.0) + amount * degree
            elif degree:
                styles[meaning] = None
            degree = 1.0
        elif known in VAGUE_STYLE and degree:
            vague[VAGUE_STYLE[known]] = None
    amounts = {name: max(-1.0, min(1.0, amount)) for name, amount in amounts.items() if amount}
    chosen = (tuple(styles) or tuple(vague)[:1])[:MAX_STYLES]
    if not chosen and not amounts:
        return Edit(styles=(DEFAULT_STYLE,), warnings=(_nothing_understood(unknown),))
    return replace(Edit(styles=chosen, warnings=_not_understood(unknown)), **amounts)


def variation(edit: Edit, index: int) -> Edit:
    """Another take on the same edit, in other light; the one of index 0 is the edit itself."""
    if index == 0:
        return edit
    colour = 0 if edit.saturation <= -1 else 1  # black and white stays so
    turn = index * math.pi * (3 - math.sqrt(5))  # the golden angle: no two takes are near each other
    return replace(
        edit,
        brightness=edit.brightness + 0.2 * math.sin(turn),
        warmth=edit.warmth + 0.45 * colour * math.cos(turn),
        saturation=max(-1.0, edit.saturation + 0.2 * colour * math.cos(2 * turn)),
        contrast=edit.contrast + 0.2 * math.sin(2 * turn),
    )


def _nothing_understood(unknown: list[str]) -> str:
    words = f" Not understood: {_shown(unknown)}." if unknown else ""
    return (
        f"The prompt names no edit that this model knows, so the picture got a light film look.{words} "
        "It knows styles such as cartoon or watercolor, and words for light, colour and blur."
    )


def _not_understood(unknown: list[str]) -> tuple[str, ...]:
    return (
        (f"These words of the prompt were not understood and changed nothing: {_shown(unknown)}.",) if unknown else ()
    )


def _shown(unknown: list[str]) -> str:
    words = list(dict.fromkeys(unknown))
    more = f" and {len(words) - MAX_WORDS_SHOWN} more" if len(words) > MAX_WORDS_SHOWN else ""
    return ", ".join(word[:40] for word in words[:MAX_WORDS_SHOWN]) + more


MEANINGS = {word: (meaning, amount) for meaning, amount, words in WORDS for word in words.split("|")}
VAGUE_STYLE = {word: style for style, words in VAGUE for word in words.split("|")}
DEGREE_OF = {word: degree for degree, words in DEGREES for word in words.split("|")}
SEPARATORS = re.compile(r"[\s_-]+")


def _pattern() -> re.Pattern[str]:
    """Tokens: the longest word or phrase of the tables, else any other word or run of Chinese, else punctuation."""
    known = sorted({*MEANINGS, *VAGUE_STYLE, *DEGREE_OF, *FILLERS.split("|")}, key=len, reverse=True)
    spelled = [re.escape(word).replace(r"\ ", r"[\s_-]+") for word in known]
    latin = "|".join(word for word in spelled if word.isascii())
    chinese = "|".join(word for word in spelled if not word.isascii())
    # Chinese has no spaces, so that "neon风格" ends a word where the script changes.
    letter = r"[^\W_\u4e00-\u9fff]"
    return re.compile(
        rf"(?P<known>(?<!{letter})(?:{latin})(?!{letter})|{chinese})"
        rf"|(?P<word>{letter}+(?:'{letter}+)*|(?:(?!{chinese})[\u4e00-\u9fff])+)"
        r"|[^\w\s]"
    )


TOKEN = _pattern()
