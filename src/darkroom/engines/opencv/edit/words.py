"""Which words of a prompt mean what, in English and Chinese: tables of text, one row a meaning.

A row says the kind of its words, what they name where that is not clear from the kind, how much of it where that is not
1, and after the colon the words. Words are in lower case; an underscore stands for any spaces, hyphens or underscores
between the words of a phrase. A row may go on in indented lines.
"""

from __future__ import annotations

from collections.abc import Iterator

Row = tuple[str, str, float, str]  # kind, name, amount, word

STYLES = """
style cartoon: cartoon cartoons cartoonish anime toon animated animation ghibli disney pixar
    卡通 动漫 动画 二次元 吉卜力 宫崎骏
style comic: comic comics comic_book graphic_novel manga superhero 漫画 美漫 连环画
style film: film cinematic cinema movie analog analogue retro 胶片 电影 电影感 复古
style halftone: halftone half_tone newspaper newsprint printed cmyk 半调 网点 报纸 印刷
style ink: ink inked ink_drawing ink_painting line_art lineart woodcut linocut 水墨 水墨画 墨水 线稿 线描 版画 木刻
style lowpoly: lowpoly low_poly polygon polygons triangles geometric 低多边形 多边形 几何
style neon: neon cyberpunk glowing synthwave vaporwave tron 霓虹 霓虹灯 赛博朋克 发光
style noir: noir film_noir dramatic_black_and_white 黑色电影
style oil: oil oils oil_painting oil_paint impasto impressionist van_gogh monet 油画 梵高 印象派 莫奈
style pencil: pencil pencil_sketch pencil_drawing graphite charcoal crayon 铅笔 铅笔画 素描 速写 炭笔
style pixel: pixel pixels pixel_art pixelart pixelated 8_bit 16_bit sprite minecraft 像素 像素画 像素风 马赛克
style pop: pop pop_art popart warhol poster silkscreen posterize 波普 波普艺术 海报 丝网
style sepia: sepia vintage antique old_photo nostalgic daguerreotype 棕褐色 老照片 怀旧 泛黄
style watercolor: watercolor watercolour watercolors watercolours aquarelle gouache 水彩 水彩画 水粉
vague oil: painting painted paint canvas brush_strokes brushstrokes 绘画 油彩 画布
vague pencil: drawing drawn draw sketch sketched sketchy 手绘 草图 画画
vague pop: art artistic illustration 艺术 插画
"""
# "vague" words name a style only where the prompt names no other: "a watercolor painting" is not an oil painting too.

ADJUSTMENTS = """
adjust brightness 0.5: bright brighter brighten lighter lighten 明亮 亮 变亮 提亮 调亮 更亮
adjust brightness -0.5: dark darker darken dim dimmer moody 暗 变暗 调暗 更暗 昏暗 阴暗
adjust contrast 0.5: contrast contrasty more_contrast high_contrast punchy dramatic
    对比 对比度 高对比 高对比度 强对比 强对比度
adjust contrast -0.4: less_contrast low_contrast flat faded matte 低对比 低对比度 褪色
adjust warmth 0.6: warm warmer golden 暖 暖色 暖色调 温暖 金色
adjust warmth -0.6: cool cooler cold colder icy 冷 冷色 冷色调 寒冷
adjust saturation 0.6: vivid vibrant colorful colourful saturated saturate saturation
    鲜艳 艳丽 饱和 饱和度 多彩 色彩丰富
adjust saturation -0.5: muted pale desaturated desaturate subdued 淡雅 柔和色彩 低饱和 淡色
adjust saturation -1: black_and_white black_white b&w bw monochrome grayscale greyscale 黑白 灰度 单色
adjust blur: blur blurry blurred defocus defocused out_of_focus 模糊 虚化
adjust blur 0.25: soft softer soften dreamy 柔和 柔焦 梦幻
adjust sharpness 0.7: sharp sharper sharpen crisp crisper clear clearer 锐化 清晰 更清晰 锐利
bokeh: bokeh shallow_depth_of_field depth_of_field portrait_mode portrait_lens
    背景虚化 虚化背景 背景模糊 模糊背景 散景 人像模式 大光圈 浅景深
"""

RENDERS = """
render spring: spring springtime blossoms blossom 春 春天 春季 春日
render summer: summer summertime summery 夏 夏天 夏季 夏日
render autumn: autumn autumnal fall_colors fall_colours fall_foliage in_fall 秋 秋天 秋季 秋日 红叶 枫叶
render winter: winter wintry wintery frosty snow snowy 冬 冬天 冬季 冬日 雪 雪景 雪地 冰雪
render snowfall: snowing snowfall falling_snow blizzard snowstorm 下雪 飘雪 雪花 大雪 暴风雪
render night: night nighttime night_time midnight moonlight moonlit starry stars
    夜 夜晚 夜景 夜间 黑夜 晚上 月光 星空
render blue_hour: blue_hour twilight nightfall 蓝调时刻 蓝调时光 暮色 暮光
render sunset: sunset sundown dusk evening 日落 夕阳 黄昏 傍晚 晚霞 落日
render sunrise: sunrise dawn daybreak morning 日出 黎明 清晨 早晨 晨光 朝霞 早上
render golden_hour: golden_hour golden_light magic_hour 黄金时刻 黄金时段 金色阳光
render noon: noon midday daytime daylight broad_daylight 中午 正午 白天 白昼
render noon 0.7: sunny sunshine sunlight 晴天 晴朗 阳光 阳光明媚
render fog: fog foggy 雾 有雾 大雾 雾气
render fog 0.6: mist misty haze hazy 薄雾 晨雾 朦胧
render rain: rain rainy raining rainfall downpour drizzle storm stormy 雨 下雨 雨天 大雨 暴雨 细雨 暴风雨
"""

REPAIRS = """
enhance: enhance enhanced improve improved optimize optimise 增强 优化 改善 提升 美化
repair: restore restored restoration repair fix denoise denoised noise_reduction remove_noise
    remove_the_noise auto_correct white_balance 修复 修图 去噪 降噪 去除噪点 还原 白平衡
retouch: retouch retouched retouching beautify smooth_skin smoother_skin skin_smoothing
    smooth_the_skin 美颜 美肤 磨皮 润肤 祛斑
"""
# What a picture that is to be repaired is now, and not what it should become: wherever it is said, and beside the word
# for the repair alone.
FAULTS = frozenset(
    """
    old_photo faded blurry blurred noisy grainy hazy old damaged scratched 老照片 泛黄 褪色 模糊 旧 破损
    """.replace("_", " ").split()
)
FAULTS_BESIDE = frozenset(["vintage", "antique", "dark", "dim", "pale", "flat", "暗", "昏暗", "阴暗"])

PALETTES = """
palette teal_orange: teal_and_orange orange_and_teal teal_orange teal_&_orange blockbuster 青橙 青橙色调
palette pastel: pastel pastels macaron 粉彩 马卡龙 马卡龙色
palette earth: earth_tones earth_tone earthy earthy_tones 大地色 大地色系
palette morandi: morandi dusty_colors dusty_colours dusty_tones 莫兰迪 莫兰迪色 高级灰
palette candy: candy candy_colors candy_colours bubblegum 糖果色
palette forest: forest_tones forest_palette 森林色 森系
palette ocean: ocean_tones ocean_palette sea_tones 海洋色
"""
# Name, English words, and stems of Chinese ones.
COLOURS = (
    ("red", "red reddish crimson scarlet ruby", "红 深红"),
    ("orange", "orange amber coral", "橙 橘 橘黄"),
    ("yellow", "yellow yellowish lemon", "黄"),
    ("gold", "gold", "金黄"),
    ("green", "green greenish emerald jade mint", "绿 翠绿 墨绿"),
    ("teal", "teal turquoise cyan aqua", "青 蓝绿"),
    ("blue", "blue bluish azure indigo navy", "蓝 深蓝 天蓝"),
    ("purple", "purple violet lavender magenta lilac", "紫 紫罗兰"),
    ("pink", "pink pinkish rose", "粉 粉红 玫瑰"),
    ("brown", "brown brownish chocolate", "棕 褐 咖啡"),
    ("white", "white", "白 纯白"),
    ("gray", "gray grey", "灰"),
    ("black", "black", "黑"),
)

LAYOUTS = """
layout collage: collage grid montage photo_grid contact_sheet 拼图 拼接 拼贴 九宫格 拼在一起
layout row: side_by_side next_to_each_other before_and_after diptych triptych 并排 左右拼接 横向拼接
layout blend: blend blended blending double_exposure merge merged overlay superimpose superimposed
    mix 融合 混合 叠加 叠化 双重曝光 合并
layout put: put place insert paste photoshop move 放 放到 放在 放进 放入 移到 置于 贴到 放置
layout compose: combine combined compose composed composite together 合成 组合 结合 合影
layout colours: style_transfer color_transfer colour_transfer match_colors match_colours
    match_the_colors match_the_colours match_color match_colour 风格迁移 颜色迁移 色彩迁移 匹配颜色 统一色调
add: add 加 加上 添加 加入 加到
replace: replace change swap switch use 换 换成 换到 换为 更换 替换 替换成 替换为 用
person: person people man woman girl boy child men women him her them me us subject model figure
    人 人物 人像 主体 他 她 我 他们 女孩 男孩 女人 男人 模特
background: background backgrounds backdrop 背景 背后
cutout: transparent_background no_background without_background cut_out cutout transparent
    抠图 抠像 去背景 去除背景 去掉背景 移除背景 透明 透明背景 透明底 无背景
remove: remove delete erase 去掉 去除 移除 删除 擦除
into strong: into onto to 到 进 入 至
into weak: in on with at 在 里
as: as 作为 当作 当 做 作
manner: style styled look mood vibe like match matching same transfer 风格 风 感觉 氛围 像 一样 参考 匹配 迁移
tones: tone tones toned tint tinted hue hues shade shades palette color colors colour colours
    color_scheme colour_scheme color_palette colour_palette grading grade color_grade color_grading
    colour_grading 色调 配色 调色 色系 色彩 颜色
elsewhere image.face_swap: face_swap faceswap swap_faces swap_face swap_the_faces 换脸
elsewhere image.upscale: upscale upscaled enlarge super_resolution 放大 超分 超分辨率
"""

# What multiplies the next word's amount.
DEGREES = """
degree 0: no not dont don't do_not without never less keep 不 不要 不用 别 没有 无 保持 保留
degree 0.5: slightly slight subtle subtly a_bit a_little bit little gently gentle light
    稍微 稍 略 略微 一点 轻微 有点 微
degree 1.5: very strongly strong much really extremely heavily heavy super deep 非常 很 十分 特别 超 强烈 极
degree -1: too overly 太 过于 过度
"""

FILLERS = """
a an the this that these those it its it's my our your i we you of and or for from by is be are there so if make
makes making made turn turns convert transform apply give set create render redo edit scene please but can could
would want looks looking feel feeling more some all both whole just only should image images picture pictures
photo photos photograph pic pics portrait effect filter filters version atmosphere hd 4k 8k quality beautiful
nice other another one two three light weather time day hour season then 以 把 将 给 让 使 请 帮 你 它 这 那 个
张 幅 图 图片 照片 图像 画面 变 变成 变为 变得 成 改 改成 改为 转 转换 转成 转为 成为 为 的 地 得 了 一 两 一张
两张 一个 一幅 些 点 更 更加 效果 滤镜 和 与 并 且 以及 整体 要 中 上 下 里面 看起来 有 是 处理 生成 制作 画
画成 感 调 调成 调整 增加 提高 降低 肖像 这张 这些 一些 天气 季节 时候 时分 光线 改变 场景 风景 景色 其他 另一张
全部 都
"""

# How the pictures of a request are named, with {n} the number in digits, {c} in Chinese and {o} as an ordinal.
REFERENCES = """
{o}_picture {o}_image {o}_photo {o}_pic {o}_one {o}_input {o} picture_{n} image_{n} photo_{n}
pic_{n} input_{n} picture{n} image{n} photo{n} img{n} 图{n} 图{c} 图片{n} 图片{c} 照片{n} 照片{c} 第{n}张 第{c}张
第{n}张图 第{c}张图 第{n}张图片 第{c}张图片 第{n}张照片 第{c}张照片 第{n}幅 第{c}幅 第{n}幅图 第{c}幅图
"""
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
CHINESE_DIGITS = "一二三四五六七八九"


def rows() -> Iterator[Row]:
    """Every word of the tables with its meaning."""
    for table in (STYLES, ADJUSTMENTS, RENDERS, REPAIRS, PALETTES, LAYOUTS):
        yield from _parsed(table)
    for name, english, stems in COLOURS:
        yield from (
            ("colour", name, 1.0, word) for word in (*english.split(), *(f"{stem}色" for stem in stems.split()))
        )
        # These are about the tones of the whole picture, or about its background, without doubt.
        for kind, endings in (("toned", ("色调", "调", "色系", "系")), ("backdrop", ("底", "色底", "色背景"))):
            yield from ((kind, name, 1.0, f"{stem}{ending}") for stem in stems.split() for ending in endings)
    for index, ordinal in enumerate(ORDINALS):
        names = REFERENCES.format(n=index + 1, c=CHINESE_DIGITS[index], o=ordinal)
        yield from (("picture", str(index), 1.0, name.replace("_", " ")) for name in names.split())


def degrees() -> Iterator[tuple[str, float]]:
    """Words, and by how much they multiply what follows."""
    return ((word, amount) for _, _, amount, word in _parsed(DEGREES))


def fillers() -> Iterator[str]:
    """Words without a meaning of their own, which are not reported either."""
    return (word.replace("_", " ") for word in FILLERS.split())


def _parsed(table: str) -> Iterator[Row]:
    for line in table.replace("\n    ", " ").strip().splitlines():
        head, _, words = line.partition(":")
        kind, *rest = head.split()
        amount = float(rest.pop()) if rest and rest[-1].lstrip("-").replace(".", "").isdecimal() else 1.0
        name = rest[0] if rest else ""
        yield from ((kind, name, amount, word.replace("_", " ")) for word in words.split())
