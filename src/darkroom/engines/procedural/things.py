"""The things that can be drawn one by one: what they are called, how large they are and where they belong.

Plain data: needs no picture library. English in the singular, Chinese as it stands in a text; an underscore joins the
words of a phrase.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Place = Literal["sky", "water", "ground", "scene"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of thing. `size` is its height in units of the picture where it is alone, `some` how many a plural
    without a number means, `most` how many are drawn at all, `habitat` the scene where it is by itself. The place
    "scene" marks what the scene's own painter draws."""

    place: Place
    size: float
    some: int = 3
    most: int = 12
    habitat: str = "hills"


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that a prompt asks for: a name of `KINDS`, how many, in which colours, and how much larger than
    usual."""

    kind: str
    count: int = 1
    tints: tuple[str, ...] = ()
    scale: float = 1.0


KINDS: dict[str, Kind] = {
    # in the sky
    "bird": Kind("sky", 0.06, some=7, most=40, habitat="any"),
    "butterfly": Kind("sky", 0.09, some=5, most=20),
    "balloon": Kind("sky", 0.24, some=5, most=24, habitat="any"),
    "airship": Kind("sky", 0.34, some=4, habitat="any"),
    "kite": Kind("sky", 0.24, some=3, habitat="any"),
    "lantern": Kind("sky", 0.11, some=12, most=40, habitat="lake"),
    "airplane": Kind("sky", 0.09, some=3, most=9, habitat="any"),
    "rocket": Kind("sky", 0.34, some=2, most=6, habitat="space"),
    "saucer": Kind("sky", 0.09, some=3, most=9, habitat="any"),
    "meteor": Kind("sky", 0.22, some=6, most=24, habitat="any"),
    "heart": Kind("sky", 0.2, some=5, most=24, habitat="any"),
    "cloud": Kind("sky", 0.16, some=4, habitat="any"),
    # on the water
    "sailboat": Kind("water", 0.26, some=4, habitat="sea"),
    "boat": Kind("water", 0.075, some=3, habitat="lake"),
    "ship": Kind("water", 0.19, some=2, most=6, habitat="sea"),
    "swan": Kind("water", 0.12, some=3, habitat="lake"),
    "duck": Kind("water", 0.075, some=4, habitat="lake"),
    "dolphin": Kind("water", 0.15, some=3, most=6, habitat="sea"),
    "bridge": Kind("water", 0.3, some=1, most=1, habitat="lake"),
    # on the ground
    "house": Kind("ground", 0.21, some=4, most=9),
    "church": Kind("ground", 0.34, some=2, most=4),
    "castle": Kind("ground", 0.36, some=2, most=3),
    "tower": Kind("ground", 0.4, some=2, most=5),
    "lighthouse": Kind("ground", 0.46, some=2, most=4, habitat="sea"),
    "windmill": Kind("ground", 0.4, some=3, most=6),
    "pagoda": Kind("ground", 0.44, some=2, most=4, habitat="mountains"),
    "pyramid": Kind("ground", 0.26, some=3, most=5, habitat="desert"),
    "tent": Kind("ground", 0.13, some=3, most=9),
    "lamp": Kind("ground", 0.34, some=3, most=9),
    "tree": Kind("ground", 0.46, some=5),
    "pine": Kind("ground", 0.46, some=5),
    "blossom": Kind("ground", 0.44, some=3, habitat="lake"),
    "palm": Kind("ground", 0.46, some=3, most=9, habitat="sea"),
    "cactus": Kind("ground", 0.28, some=4, habitat="desert"),
    "flower": Kind("ground", 0.24, some=16, most=60),
    "tulip": Kind("ground", 0.24, some=16, most=60),
    "sunflower": Kind("ground", 0.32, some=12, most=60),
    "mushroom": Kind("ground", 0.13, some=5, most=20, habitat="forest"),
    "person": Kind("ground", 0.2, some=3),
    "man": Kind("ground", 0.2, some=3),
    "woman": Kind("ground", 0.2, some=3),
    "child": Kind("ground", 0.14, some=3),
    "cow": Kind("ground", 0.17, some=4, most=16),
    "cat": Kind("ground", 0.18, some=3, most=9),
    "dog": Kind("ground", 0.16, some=3, most=9),
    "horse": Kind("ground", 0.23, some=3, most=9),
    "deer": Kind("ground", 0.25, some=3, most=9, habitat="forest"),
    "sheep": Kind("ground", 0.11, some=6, most=24),
    "rabbit": Kind("ground", 0.11, some=3),
    "camel": Kind("ground", 0.22, some=3, most=9, habitat="desert"),
    "elephant": Kind("ground", 0.26, some=3, most=6),
    "snowman": Kind("ground", 0.24, some=3, most=9),
    "fire": Kind("ground", 0.1, some=1, most=5),
    "car": Kind("ground", 0.1, some=3, most=9),
    # what the painters of the scenes draw
    "moon": Kind("scene", 1, some=2, most=5),
    "sun": Kind("scene", 1, some=2, most=4),
    "planet": Kind("scene", 1, some=3, most=8),
    "star": Kind("scene", 1, some=7, most=40),
    "mountain": Kind("scene", 1, some=3, most=5),
    "island": Kind("scene", 1, some=3, most=5),
}

_NAMES: dict[str, str] = {
    "bird": "bird seagull gull eagle hawk swallow crane goose geese crow raven sparrow seabird dove pigeon "
    "鸟 鸟儿 小鸟 飞鸟 海鸟 海鸥 鸥 雁 大雁 老鹰 鹰 燕子 鹤 仙鹤 鸽子 白鸽 麻雀 乌鸦",
    "butterfly": "butterfly 蝴蝶 蝶",
    "balloon": "balloon 气球",
    "airship": "hot_air_balloon hot-air_balloon air_balloon 热气球",
    "kite": "kite 风筝",
    "lantern": "lantern paper_lantern sky_lantern 灯笼 孔明灯 天灯",
    "airplane": "airplane aeroplane plane aircraft jet 飞机 客机",
    "rocket": "rocket spaceship spacecraft 火箭 飞船 宇宙飞船",
    "saucer": "ufo flying_saucer 飞碟",
    "meteor": "meteor shooting_star falling_star comet 流星 彗星 流星雨",
    "heart": "heart 爱心 心形 红心",
    "sailboat": "sailboat sailing_boat sailing_ship yacht dinghy 帆船 游艇 小帆船 白帆",
    "boat": "boat rowboat rowing_boat fishing_boat canoe 小船 船 渔船 木船 舟 小舟 扁舟 孤舟",
    "ship": "ship steamer ferry cruise_ship cargo_ship ocean_liner 轮船 货轮 邮轮 大船 货船",
    "swan": "swan 天鹅",
    "duck": "duck duckling 鸭子 鸭 野鸭 小鸭 鸳鸯",
    "dolphin": "dolphin 海豚",
    "bridge": "bridge 桥 大桥 吊桥",
    "house": "house cabin cottage hut home farmhouse barn chalet lodge "
    "房子 小屋 屋 木屋 房屋 小房子 屋子 农舍 茅屋 别墅",
    "church": "church chapel 教堂",
    "castle": "castle fortress palace 城堡 古堡 宫殿",
    "tower": "tower watchtower 高塔 塔楼",
    "lighthouse": "lighthouse 灯塔",
    "windmill": "windmill 风车",
    "pagoda": "pagoda temple shrine pavilion 塔 宝塔 佛塔 古塔 寺庙 庙 寺 亭子 凉亭 古寺 阁楼",
    "pyramid": "pyramid 金字塔",
    "tent": "tent 帐篷 蒙古包",
    "lamp": "street_lamp streetlamp lamppost streetlight street_light lamp_post 路灯 街灯",
    "tree": "大树 橡树 枫树 柳树 孤树 老树 银杏",
    "pine": "christmas_tree 圣诞树",
    "blossom": "cherry_tree cherry_blossom cherry_blossom_tree sakura "
    "开花的树 开满花的树 樱花 樱花树 樱树 桃花 桃树 梅花",
    "palm": "palm palm_tree coconut_tree 棕榈 棕榈树 椰子树 椰树",
    "cactus": "cactus cacti saguaro 仙人掌",
    "flower": "flower daisy wildflower blossom poppy 花 花朵 鲜花 野花 雏菊 小花 花儿",
    "tulip": "tulip 郁金香",
    "sunflower": "sunflower 向日葵",
    "mushroom": "mushroom toadstool 蘑菇",
    "person": "person figure people traveler traveller hiker wanderer human 人 人物 旅人 行人 人们",
    "man": "man men fisherman 男人 少年 老人 渔夫",
    "woman": "woman women lady 女人 少女 女子",
    "child": "child children kid boy girl 孩子 小孩 男孩 女孩 小朋友 小女孩 小男孩",
    "cat": "cat kitten kitty 猫 小猫 猫咪",
    "dog": "dog puppy 狗 小狗 犬",
    "horse": "horse pony stallion 马 骏马 白马 黑马",
    "deer": "deer stag elk reindeer moose 鹿 小鹿 麋鹿 梅花鹿",
    "sheep": "sheep lamb 羊 绵羊 小羊 羊群",
    "cow": "cow cattle bull ox calf 牛 奶牛 黄牛 水牛 老牛",
    "rabbit": "rabbit bunny hare 兔子 兔 小兔 白兔",
    "camel": "camel 骆驼",
    "elephant": "elephant 大象 象",
    "snowman": "snowman snowmen 雪人",
    "fire": "campfire bonfire 篝火 营火",
    "car": "car automobile 汽车 轿车 小汽车 车",
}
# Words that say a number with the thing; 0 stands for `some`.
_GROUPS = {
    "person": {2: "couple lovers 情侣 恋人 夫妻", 3: "family 一家人", 9: "crowd 人群"},
    "bird": {0: "flock 鸟群 雁群"},
    "house": {5: "village hamlet 村庄 村 村落 村子 小村"},
    "boat": {5: "fleet 船队"},
    "horse": {5: "马群"},
    "deer": {5: "鹿群"},
    "cow": {5: "牛群"},
    "camel": {4: "caravan 驼队"},
    "flower": {30: "花海 花田 花丛 花园 garden"},
    "lantern": {30: "lantern_festival"},
}
NAMES: dict[str, tuple[str, int | None]] = {
    name.replace("_", " "): (kind, None) for kind, names in _NAMES.items() for name in names.split()
} | {
    name.replace("_", " "): (kind, count or KINDS[kind].some)
    for kind, groups in _GROUPS.items()
    for count, names in groups.items()
    for name in names.split()
}
PLURALS = frozenset(
    ["people", "men", "women", "children", "geese", "cacti", "snowmen", "人们", "流星雨"]
)  # of irregular form
# A number or "a" makes single trees of these; without it they are a wood.
ONE_OR_WOOD = {
    word.replace("_", " "): kind
    for kind, words in {
        "tree": "tree oak oak_tree maple_tree apple_tree birch 树 树木",
        "pine": "pine fir conifer spruce pine_tree fir_tree 松树 松",
    }.items()
    for word in words.split()
}
# Words of the scene that a number makes into things.
COUNTED = {
    word: kind
    for kind, words in {
        "moon": "moon crescent 月 月亮 明月 圆月 满月",
        "sun": "sun 太阳",
        "planet": "planet 星球 行星",
        "star": "star 星 星星",
        "cloud": "cloud 云 云朵 白云",
        "mountain": "mountain peak summit 山 山峰 雪山 高山 雪峰",
        "island": "island 岛 岛屿 海岛 小岛",
    }.items()
    for word in words.split()
}

FEW, SEVERAL, MANY, ALL = -3, -5, -10, -20  # words that say a number vaguely
_NUMBERS: dict[int, str] = {
    1: "one single lone lonely solitary alone 一 1",
    2: "two pair pair_of a_couple_of couple_of two_of 二 两 双 俩",
    3: "three trio 三 仨",
    4: "four 四",
    5: "five 五",
    6: "six half_a_dozen 六",
    7: "seven 七",
    8: "eight 八",
    9: "nine 九",
    10: "ten 十",
    11: "eleven",
    12: "twelve dozen 一打",
    13: "thirteen",
    14: "fourteen",
    15: "fifteen",
    20: "twenty",
    30: "thirty",
    40: "forty",
    50: "fifty",
    100: "hundred",
}
NUMBERS: dict[str, int] = {
    word.replace("_", " "): number for number, words in _NUMBERS.items() for word in words.split()
} | {
    **dict.fromkeys(("few", "a few", "几", "数"), FEW),
    **dict.fromkeys(("several", "some", "some of", "一些", "若干", "好几"), SEVERAL),
    **dict.fromkeys(
        ("flock of", "herd of", "group of", "bunch of", "fleet of", "crowd of", "row of", "line of"), SEVERAL
    ),
    **dict.fromkeys(("field of", "fields of"), MANY),
    **dict.fromkeys(("many", "lots", "lots of", "a lot of", "许多", "很多", "众多", "多", "群", "一群"), MANY),
    **dict.fromkeys(("dozens", "hundreds", "thousands", "countless", "无数", "成千上万", "漫天", "成群"), ALL),
}
MEASURES = frozenset(
    [
        "只",
        "艘",
        "朵",
        "座",
        "个",
        "条",
        "匹",
        "头",
        "架",
        "轮",
        "颗",
        "间",
        "栋",
        "株",
        "枝",
        "支",
        "叶",
        "把",
        "盏",
        "辆",
        "位",
        "名",
        "顶",
        "所",
        "棵",
        "群",
        "片",
        "团",
        "峰",
        "尊",
        "幢",
        "对",
        "双",
    ]
)
SIZES = {
    **dict.fromkeys(["small", "tiny", "little", "小", "小小"], 0.7),
    **dict.fromkeys(["big", "large", "huge", "giant", "enormous", "大", "巨大", "巨大的", "巨"], 1.35),
}


def number(kind: str, said: int) -> int:
    """How many a number word means for a kind; digits and numerals mean themselves."""
    if said in (FEW, SEVERAL):
        return min(-said, KINDS[kind].most)
    if said == MANY:
        return min(round(KINDS[kind].some * 1.8) + 3, KINDS[kind].most)
    return KINDS[kind].most if said == ALL else said
