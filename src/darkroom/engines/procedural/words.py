"""The words that the prompt parser knows, by what they say.

English in the singular, Chinese as it stands in a text; an underscore joins the words of a phrase.
"""

from __future__ import annotations

_MEANINGS: dict[tuple[tuple[str, str], ...], str] = {
    # subjects
    (
        ("subject", "mountains"),
    ): "mountain peak summit alp cliff ridge valley canyon himalaya 山 山脉 山峰 群山 雪峰 高山 峡谷 山谷 悬崖",
    (("subject", "lake"),): "lake river pond fjord lagoon stream 湖 湖泊 湖水 湖面 河 河流 江 池塘 溪 溪流 峡湾",
    (("subject", "sea"),): "sea ocean island archipelago coast shore seaside seascape bay wave surf "
    "海 岛 岛屿 海岛 小岛 大海 海洋 海岸 海面 海浪 海湾",
    (("subject", "sea"), ("part", "beach")): "beach 海边 海滩 沙滩",
    (
        ("subject", "forest"),
    ): "forest wood woodland jungle pine tree fir conifer taiga 森林 树林 林 松树 树 树木 丛林 竹林 松林",
    (
        ("subject", "hills"),
    ): "hill meadow field grass grassland countryside pasture prairie steppe 丘陵 草地 草原 田野 田园 山坡 乡村 牧场",
    (("subject", "desert"),): "desert dune sahara gobi 沙漠 沙丘 大漠 戈壁",
    (("subject", "city"),): "city skyline town downtown skyscraper building street urban cityscape metropolis "
    "城市 都市 城 街道 街 摩天大楼 高楼 大厦 楼 建筑 天际线 市中心",
    (
        ("subject", "abstract"),
    ): "abstract pattern texture flow swirl geometric generative fluid 抽象 图案 纹理 流动 漩涡 几何",
    (("subject", "space"),): "space galaxy nebula universe cosmos cosmic 太空 宇宙 银河 星系 星云",
    # things in the picture
    (("part", "moon"),): "moon crescent 月 月亮 明月 圆月 满月",
    (("part", "moon"), ("hour", "night")): "moonlight moonlit 月光 月色 月夜",
    (("part", "sun"),): "sun sunlight 太阳 阳光",
    (("part", "sun"), ("weather", "clear")): "sunny sunshine 晴朗 晴 晴天",
    (("part", "planet"), ("subject", "space")): "planet 星球 行星",
    (("part", "neon"),): "neon cyberpunk futuristic 霓虹 霓虹灯 赛博朋克 未来",
    (("part", "mirror"),): "reflection mirror reflected 倒影 倒映 镜",
    (("part", "aurora"), ("hour", "night")): "aurora 极光",
    (("part", "rainbow"),): "rainbow 彩虹",
    (("part", "lightning"), ("weather", "rain")): "lightning thunder thunderstorm 闪电 雷电",
    # time of day
    (("hour", "sunrise"),): "sunrise dawn morning daybreak 日出 黎明 清晨 早晨 早上 晨 拂晓 朝阳 朝霞 晨光",
    (("hour", "day"),): "day daytime noon midday afternoon daylight 白天 白昼 中午 正午 下午 日间 蓝天",
    (("hour", "sunset"),): "sunset dusk evening twilight sundown 日落 黄昏 傍晚 夕阳 落日 晚霞 暮色",
    (("hour", "night"),): "night midnight nighttime nightfall 夜 夜晚 夜景 晚上 午夜 深夜 夜色 夜里",
    # weather
    (("weather", "clouds"),): "cloud cloudy overcast 云 多云 云朵 白云 云海 阴天 乌云",
    (("weather", "clear"),): "clear cloudless 晴空 万里无云",
    (("weather", "fog"),): "fog foggy mist misty haze hazy 雾 薄雾 大雾 云雾 迷雾 晨雾 朦胧",
    (("weather", "rain"),): "rain rainy storm stormy drizzle wet 雨 下雨 雨天 暴雨 细雨 暴风雨",
    (("weather", "snow"),): "snow snowy snowfall snowing blizzard frozen ice icy 雪 下雪 冰雪 雪地 冰 暴风雪 大雪",
    (("weather", "snow"), ("subject", "mountains")): "雪山",
    (("weather", "snow"), ("subject", "forest")): "雪林",
    (("weather", "stars"),): "star 星 星星",
    # seasons
    (("season", "spring"),): "spring springtime 春 春天 春季 春日",
    (("season", "summer"),): "summer summertime 夏 夏天 夏季 夏日",
    (("season", "autumn"),): "autumn autumnal fall maple 秋 秋天 秋季 秋日 枫叶 红叶",
    (("season", "winter"),): "winter wintry 冬 冬天 冬季 冬日",
    # colours
    (("tint", "red"),): "red crimson scarlet ruby 红 红色 赤",
    (("tint", "orange"),): "orange amber coral 橙 橙色 橘 橘色",
    (("tint", "yellow"),): "yellow lemon 黄 黄色",
    (("tint", "green"),): "green emerald jade lime 绿 绿色 翠 翠绿",
    (("tint", "teal"),): "teal turquoise cyan aqua 青 青色",
    (("tint", "blue"),): "blue azure indigo navy 蓝 蓝色 湛蓝",
    (("tint", "purple"),): "purple violet lavender magenta 紫 紫色",
    (("tint", "pink"),): "pink rose 粉 粉色 粉红 粉红色 玫瑰",
    (("tint", "brown"),): "brown chocolate 棕 棕色 褐色",
    (("tint", "gold"),): "gold golden 金 金色 金黄 金黄色",
    (("tint", "gray"),): "gray grey silver 灰 灰色 银色",
    (("tint", "white"),): "white 白 白色 雪白",
    (("tint", "black"),): "black 黑 黑色",
    # styles of light and colour
    (("style", "vivid"),): "vivid vibrant colorful colourful saturated 鲜艳 绚丽 多彩 彩色 五彩",
    (("style", "pastel"),): "pastel pale delicate 淡雅 柔和 清新",
    (("style", "vintage"),): "vintage retro nostalgic sepia film analog polaroid 复古 怀旧 胶片 老照片",
    (("style", "dreamy"),): "dreamy ethereal magical soft surreal fantasy 梦幻 唯美 奇幻 仙境",
    (("style", "dramatic"),): "dramatic epic moody majestic cinematic 壮观 壮丽 史诗 电影感 震撼 雄伟",
    (("style", "monochrome"),): "monochrome grayscale greyscale black_and_white 黑白 单色",
    (("style", "noir"),): "noir film_noir 黑色电影",
    (("style", "glowing"),): "synthwave vaporwave outrun glowing 蒸汽波 发光",
    # styles of the hand
    (("style", "watercolor"),): "watercolor watercolour aquarelle gouache 水彩 水彩画",
    (("style", "oil"),): "oil oil_painting oil_paint impressionist impressionism impressionistic monet painterly "
    "油画 印象派",
    (("style", "ink"),): "ink ink_wash ink_painting sumi-e sumi_e shuimo chinese_painting 水墨 水墨画 国画 中国画 墨",
    (("style", "pencil"),): "pencil sketch graphite charcoal pencil_drawing 素描 铅笔 铅笔画 速写 炭笔",
    (("style", "cartoon"),): "cartoon anime manga comic ghibli illustration illustrated cel-shaded 卡通 动漫 动画 漫画 "
    "插画 二次元",
    (("style", "pixel"),): "pixel pixel_art pixelated 8-bit 8bit 16-bit voxel 像素 像素画 像素风",
    (("style", "lowpoly"),): "lowpoly low_poly low-poly polygonal 低多边形",
    (("style", "poster"),): "poster flat minimalist minimal minimalism minimalistic vector flat_design screenprint "
    "海报 扁平 极简 简约 平面 矢量",
    # phrases
    (("hour", "sunset"), ("tint", "gold")): "golden_hour",
    (("hour", "night"), ("tint", "blue")): "blue_hour",
    (("part", "aurora"), ("hour", "night"), ("weather", "stars")): "northern_lights",
    (("hour", "night"), ("weather", "stars")): "milky_way starry starlight 星空 繁星 星夜",
}

WORDS: dict[str, tuple[tuple[str, str], ...]] = {
    word.replace("_", " "): says for says, words in _MEANINGS.items() for word in words.split()
}

_FILLERS = """
    a an the and or of in on at by with over under above below behind near to into from for as is are it its
    this that these those there very so my your our his her their i we you be being has have through across around
    between before after up down out off please create make draw paint generate show picture image photo photograph
    painting drawing art artwork wallpaper background scene view scenery landscape panorama nature style stylized
    beautiful nice lovely pretty stunning gorgeous amazing peaceful calm quiet serene tranquil distant far high
    great wide long old light bright dark deep warm cool cold water sky horizon quality detailed best
    against beside along against together color colour colored coloured fluffy
    flying fly flies floating float floats sailing drifting standing stand stands rising hanging grazing
    的 了 在 和 与 及 或 是 有 着 上 下 里 中 一幅 一张 幅 张 画 图 图片 图像 照片 壁纸
    背景 风景 风景画 景色 美丽 漂亮 美 远处 远方 近处 上空 下方 之 请 生成 给我 我 你 天空 水 水面 安静 宁静 风格
    景 高清 边 旁 前 后 天 色 灯 光 灯光 地 被 从 到 那 这 很 非常 旁边 前面 后面 颜色 无边 无际 无尽 无限
    飞 飞翔 飞过 飞舞 漂 漂浮 飘 飘浮 停 停泊 站 站着 站在 屹立 矗立 挂 挂着 升起 航行 孤独
"""
FILLERS = frozenset(_FILLERS.split())  # words that say nothing about the picture, and are not reported either
# After these, what was said of a colour or a number no longer waits for its thing.
ENDS = frozenset(
    [
        "in",
        "on",
        "at",
        "by",
        "with",
        "over",
        "under",
        "above",
        "below",
        "behind",
        "near",
        "to",
        "into",
        "from",
        "for",
        "through",
        "across",
        "around",
        "between",
        "before",
        "after",
        "against",
        "beside",
        "along",
        "在",
        "上",
        "下",
        "里",
        "中",
        "有",
        "上空",
        "下方",
        "旁",
        "边",
        "前",
        "后",
        "旁边",
        "前面",
        "后面",
    ]
)
BACKDROPS = frozenset(
    ["sky", "water", "horizon", "light", "天空", "水", "水面", "天", "光", "灯光", "background", "背景"]
)  # a colour is theirs
JOINS = frozenset(["is", "are", "in", "是"])  # a colour after these is that of the thing before
NEGATIONS = frozenset(["no", "not", "without", "没有", "没", "无", "不要", "不含", "去掉"])
LISTS = frozenset(
    ["and", "or", "nor", "any", "a", "an", "the", "和", "或", "与", "及"]
)  # between several things that are not wanted
# Words that hold a known one and mean something else.
COMPOUNDS = frozenset(
    [
        "火车",
        "马车",
        "烟花",
        "花瓶",
        "雪花",
        "浪花",
        "火花",
        "花生",
        "机器人",
        "稻草人",
        "美人鱼",
        "人脸",
        "人像",
        "人工智能",
        "斑马",
        "河马",
        "海马",
        "马路",
        "罗马",
        "山羊",
        "景象",
        "形象",
        "印象",
        "气象",
        "松鼠",
        "月饼",
        "鸟巢",
        "熊猫",
        "猫头鹰",
        "海狮",
        "海龟",
        "海豹",
        "海鲜",
        "铁塔",
        "冰淇淋",
        "冰箱",
        "雨伞",
        "鹿角",
        "长颈鹿",
        "云南",
        "江湖",
        "狗熊",
        "海报上",
        "鸟笼",
        "船长",
        "屋顶",
        "花纹",
        "马戏",
        "白马王子",
        "城墙",
        "水果",
        "桥梁",
        "星座",
        "湖北",
        "湖南",
        "山东",
        "山西",
        "天花板",
        "草莓",
        "草帽",
        "楼梯",
    ]
)
