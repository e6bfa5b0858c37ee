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
    (("subject", "sea"),): "sea ocean island archipelago beach coast shore seaside seascape bay wave surf "
    "海 岛 岛屿 海岛 大海 海洋 海边 海滩 沙滩 海岸 海面 海浪 海湾",
    (
        ("subject", "forest"),
    ): "forest wood woodland jungle pine tree fir conifer taiga 森林 树林 林 松树 树 树木 丛林 竹林 松林",
    (
        ("subject", "hills"),
    ): "hill meadow field grass grassland countryside pasture prairie steppe 丘陵 草地 草原 田野 田园 山坡 乡村 牧场",
    (("subject", "desert"),): "desert dune sahara gobi 沙漠 沙丘 大漠 戈壁",
    (("subject", "city"),): "city skyline town downtown skyscraper building street urban cityscape metropolis tower "
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
    # time of day
    (("hour", "sunrise"),): "sunrise dawn morning daybreak 日出 黎明 清晨 早晨 早上 晨 拂晓 朝阳 朝霞 晨光",
    (("hour", "day"),): "day daytime noon midday afternoon daylight 白天 白昼 中午 正午 下午 日间 蓝天",
    (("hour", "sunset"),): "sunset dusk evening twilight sundown 日落 黄昏 傍晚 夕阳 落日 晚霞 暮色",
    (("hour", "night"),): "night midnight nighttime nightfall 夜 夜晚 夜景 晚上 午夜 深夜 夜色 夜里",
    # weather
    (("weather", "clouds"),): "cloud cloudy overcast 云 多云 云朵 白云 云海 阴天 乌云",
    (("weather", "clear"),): "clear cloudless 晴空 万里无云",
    (("weather", "fog"),): "fog foggy mist misty haze hazy 雾 薄雾 大雾 云雾 迷雾 晨雾 朦胧",
    (("weather", "rain"),): "rain rainy storm stormy drizzle thunderstorm wet 雨 下雨 雨天 暴雨 细雨 暴风雨",
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
    # styles
    (("style", "vivid"),): "vivid vibrant colorful colourful saturated 鲜艳 绚丽 多彩 彩色 五彩",
    (("style", "pastel"),): "pastel pale delicate 淡雅 柔和 清新",
    (("style", "vintage"),): "vintage retro nostalgic sepia 复古 怀旧",
    (("style", "dreamy"),): "dreamy ethereal magical soft surreal fantasy 梦幻 唯美 奇幻 仙境",
    (("style", "dramatic"),): "dramatic epic moody majestic cinematic 壮观 壮丽 史诗 电影感 震撼 雄伟",
    # phrases
    (("hour", "sunset"), ("tint", "gold")): "golden_hour",
    (("hour", "night"), ("tint", "blue")): "blue_hour",
    (("part", "aurora"), ("hour", "night"), ("weather", "stars")): "northern_lights",
    (("hour", "night"), ("weather", "stars")): "milky_way starry starlight 星空 繁星 星夜",
    (("style", "monochrome"),): "monochrome grayscale noir ink black_and_white 黑白 单色 水墨 水墨画 素描",
}

WORDS: dict[str, tuple[tuple[str, str], ...]] = {
    word.replace("_", " "): says for says, words in _MEANINGS.items() for word in words.split()
}
PHRASES = frozenset(word for word in WORDS if " " in word)

_FILLERS = """
    a an the and or of in on at by with without over under above below behind near to into from for as is are it its
    this that these those there some very so my your our his her their i we you be being has have through across around
    between before after up down out off one please create make draw paint generate show picture image photo photograph
    painting illustration art artwork wallpaper background scene view scenery landscape panorama nature style stylized
    beautiful nice lovely pretty stunning gorgeous amazing peaceful calm quiet serene tranquil distant far high big
    large small great wide long old light bright dark deep warm cool cold water sky horizon quality detailed best
    的 了 在 和 与 及 或 是 有 着 上 下 里 中 一 个 只 一个 一幅 一张 一片 一座 幅 张 片 座 画 图 图片 图像 照片 壁纸
    背景 风景 风景画 景色 美丽 漂亮 美 大 小 远处 远方 近处 上空 下方 之 请 生成 给我 我 你 天空 水 水面 安静 宁静 风格
    景 高清 边 旁 前 后 天 色 灯 光 灯光 地 被 从 到 那 这 很 非常
"""
FILLERS = frozenset(_FILLERS.split())  # words that say nothing about the picture, and are not reported either
