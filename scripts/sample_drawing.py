"""Draw the scenes of the embedded sample: cartoon people, a few things, speech bubbles and backgrounds.

:func:`draw_frame` turns a scene and a moment into one picture. Nothing here is random: the same Pillow version draws
the same pixels.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from PIL import Image, ImageDraw, ImageFont
from sample_scene import MOODS, Actor, Joints, Look, Mood, Prop, Scene, State, interpolate, state_at

Point = tuple[float, float]

OVERSAMPLING = 2  # pictures are drawn this much larger and then reduced, for smooth edges (which also compress better)
INK = "#30303a"


class Canvas:
    """A picture that is drawn in fractions of its width and height, larger than the final picture."""

    def __init__(self, image: Image.Image) -> None:
        self.image = image
        self.draw = ImageDraw.Draw(image)
        self.width, self.height = image.size

    def pixel(self, x: float, y: float) -> Point:
        """The pixel of a position in fractions."""
        return x * self.width, y * self.height

    def disc(self, centre: Point, radius: float, fill: str | None, outline: str | None = None, width: int = 1) -> None:
        """A circle, in pixels."""
        (x, y), r = centre, radius
        self.draw.ellipse((x - r, y - r, x + r, y + r), fill=fill, outline=outline, width=width)

    def limb(self, points: Sequence[Point], width: float, fill: str) -> None:
        """A line with round ends and joints, in pixels."""
        self.draw.line(list(points), fill=fill, width=max(1, round(width)))
        for point in points:
            self.disc(point, width / 2, fill)

    def box(self, left: float, top: float, right: float, bottom: float, fill: str) -> None:
        """A rectangle, in fractions of the picture."""
        self.draw.rectangle((*self.pixel(left, top), *self.pixel(right, bottom)), fill=fill)


class Body:
    """Coordinates of one person: u in the direction they face, v upwards from the feet, both in body heights."""

    def __init__(self, origin: Point, unit: float, mirrored: bool, tilt: float) -> None:
        self.origin, self.unit, self.sign = origin, unit, -1 if mirrored else 1
        self.sin, self.cos = math.sin(math.radians(tilt)), math.cos(math.radians(tilt))

    def at(self, u: float, v: float) -> Point:
        """The pixel of a point of the body."""
        x, y = u * self.cos + v * self.sin, v * self.cos - u * self.sin
        return self.origin[0] + self.sign * x * self.unit, self.origin[1] - y * self.unit


def _ray(start: Point, angle: float, length: float, side: int) -> Point:
    """The end of a limb that hangs from ``start`` at ``angle``, outwards on ``side``."""
    return (
        start[0] + side * length * math.sin(math.radians(angle)),
        start[1] - length * math.cos(math.radians(angle)),
    )


def _draw_hand(canvas: Canvas, body: Body, wrist: Point, angle: float, side: int, shape: str, skin: str) -> None:
    """A fist, and the fingers that ``shape`` stretches out of it (angles from the forearm, or upwards for a thumb)."""
    canvas.disc(body.at(*wrist), (0.055 if shape == "thumb" else 0.042) * body.unit, skin)
    fingers = {"open": (-40, -14, 12, 38, 75), "point": (0,), "thumb": (180 - angle,)}
    for finger in fingers.get(shape, ()):
        tip = _ray(wrist, angle + finger, 0.11 if shape != "open" else 0.085, side)
        width = 0.04 if shape == "thumb" else 0.028
        canvas.limb([body.at(*wrist), body.at(*tip)], width * body.unit, skin)


def _draw_legs(canvas: Canvas, body: Body, joints: Joints, hip: Point, look: Look) -> None:
    for side, thigh, shin in ((-1, joints.leg_l, joints.shin_l), (1, joints.leg_r, joints.shin_r)):
        start = (hip[0] + side * 0.045 * (1 - 0.8 * joints.side), hip[1])
        knee = _ray(start, thigh, 0.18, side)
        foot = _ray(knee, shin, 0.18, side)
        canvas.limb([body.at(*start), body.at(*knee), body.at(*foot)], 0.075 * body.unit, look.trousers)
        canvas.disc(body.at(foot[0] + 0.015, foot[1]), 0.045 * body.unit, INK)


def _draw_arms(canvas: Canvas, body: Body, joints: Joints, neck: Point, look: Look, hand: str) -> None:
    for side, arm, fore in ((-1, joints.arm_l, joints.fore_l), (1, joints.arm_r, joints.fore_r)):
        shoulder = (neck[0] + side * 0.1 * (1 - 0.7 * joints.side), neck[1] - 0.06)
        elbow = _ray(shoulder, arm, 0.16, side)
        wrist = _ray(elbow, fore, 0.15, side)
        points = [body.at(*shoulder), body.at(*elbow), body.at(*wrist)]
        canvas.limb(points, 0.08 * body.unit, INK)
        canvas.limb(points, 0.064 * body.unit, look.shirt)
        shape = hand if side == 1 or (hand == "open" and joints.arm_l > 60) else "fist"
        if look.bandage and side == 1:
            canvas.limb(
                [body.at(*_ray(elbow, fore, share, side)) for share in (0.04, 0.11)], 0.085 * body.unit, "white"
            )
            canvas.limb([body.at(*_ray(elbow, fore, 0.075, side))], 0.03 * body.unit, "#d8323c")
        _draw_hand(canvas, body, wrist, fore, side, shape, look.skin)


def _draw_hair(canvas: Canvas, body: Body, head: Point, look: Look) -> None:
    """The hair behind the face; a hat is put on afterwards."""
    u, v = head
    if look.hair == "bald":
        return
    canvas.disc(body.at(u, v + 0.022), 0.152 * body.unit, look.hair_colour)
    if look.hair == "bun":
        canvas.disc(body.at(u - 0.02, v + 0.19), 0.065 * body.unit, look.hair_colour)
    if look.hair == "long":
        for side in (-1, 1):
            strand = [body.at(u + side * 0.12, v + 0.02), body.at(u + side * 0.13, v - 0.17)]
            canvas.limb(strand, 0.07 * body.unit, look.hair_colour)


def _draw_mouth(canvas: Canvas, body: Body, centre: Point, mood: Mood, speaking: float) -> None:
    """An open mouth while speaking or surprised, else a curve."""
    opening, (u, v) = max(mood.opening, speaking), centre
    if opening > 0.08:
        x, y = body.at(u, v)
        w, h = 0.034 * body.unit, (0.008 + 0.042 * opening) * body.unit
        canvas.draw.ellipse((x - w, y - h, x + w, y + h), fill="#8a2f35", outline=INK)
        return
    curve = [(k / 6, mood.curve * 0.035 * ((k / 6) ** 2 - 0.5)) for k in range(-6, 7)]
    canvas.limb([body.at(u + 0.055 * k, v + lift) for k, lift in curve], 0.016 * body.unit, INK)


def _draw_face(canvas: Canvas, body: Body, head: Point, state: State, look: Look, speaking: float) -> None:
    mood, unit = MOODS[state.mood], body.unit
    u = head[0] + 0.05 * abs(state.facing) + 0.04 * state.joints.turn
    v = head[1] - 0.03 * state.joints.nod
    for side in (-1, 1):
        eye = body.at(u + side * 0.052, v + 0.01)
        canvas.disc(eye, (0.026 if mood.raised > 0.8 else 0.018) * unit, INK)
        brow = v + 0.066 + 0.018 * mood.raised
        inner, outer = brow - 0.016 * mood.slant, brow + 0.016 * mood.slant
        canvas.limb([body.at(u + side * 0.024, inner), body.at(u + side * 0.08, outer)], 0.014 * unit, INK)
        if look.glasses:
            canvas.disc(eye, 0.042 * unit, None, "#202020", max(2, round(0.013 * unit)))
    if look.glasses:
        canvas.limb([body.at(u - 0.012, v + 0.012), body.at(u + 0.012, v + 0.012)], 0.012 * unit, "#202020")
    if mood.tear:
        canvas.disc(body.at(u + 0.06, v - 0.03), 0.016 * unit, "#4aa3e0")
    _draw_mouth(canvas, body, (u, v - 0.065), mood, speaking)


def _draw_hat(canvas: Canvas, body: Body, head: Point, colour: str) -> None:
    u, v = head
    crown = [body.at(u + du, v + dv) for du, dv in ((-0.12, 0.09), (-0.09, 0.22), (0.09, 0.22), (0.12, 0.09))]
    canvas.draw.polygon(crown, fill=colour)
    canvas.limb([body.at(u - 0.17, v + 0.09), body.at(u + 0.17, v + 0.09)], 0.04 * body.unit, colour)


def _draw_bubble(canvas: Canvas, top: Point, text: str) -> None:
    """A speech bubble above a head, kept inside the picture; it shows what people say in clips without speech."""
    font = ImageFont.load_default(size=canvas.height * 0.07)
    left, upper, right, lower = canvas.draw.textbbox((0, 0), text, font=font)
    pad = canvas.height * 0.03
    width, height = right - left + 2 * pad, lower - upper + 2 * pad
    x = min(max(top[0] - width / 2, 4), canvas.width - width - 4)
    y = max(top[1] - height - 2 * pad, 4)
    canvas.draw.polygon([(top[0] - pad, y + height - 1), (top[0] + pad, y + height - 1), top], fill="white")
    canvas.draw.rounded_rectangle((x, y, x + width, y + height), radius=pad, fill="white")
    canvas.draw.text((x + pad - left, y + pad - upper), text, font=font, fill=INK)


def draw_actor(canvas: Canvas, actor: Actor, t: float, speaking: float) -> None:
    """One person at one moment; ``speaking`` (0 to 1) is how far speech opens the mouth."""
    state, look = state_at(actor, t), actor.look
    joints = state.joints
    unit = actor.height * canvas.height
    x, y = canvas.pixel(state.x, actor.ground)
    rise = 0.12 * abs(math.sin(math.radians(joints.tilt)))  # half of the width of a lying person is below their middle
    body = Body((x, y - rise * unit), unit, state.facing < 0, joints.tilt)
    reach = [
        0.18 * (math.cos(math.radians(thigh)) + math.cos(math.radians(shin)))
        for thigh, shin in ((joints.leg_r, joints.shin_r), (joints.leg_l, joints.shin_l))
    ]
    hip = (0.0, max(reach) + joints.lift)  # the longer leg stands on the ground
    neck, head = (0.0, hip[1] + 0.32), (0.0, hip[1] + 0.49)
    if look.bag:
        canvas.limb([body.at(-0.1, hip[1] + 0.12), body.at(-0.1, hip[1] + 0.22)], 0.2 * body.unit, look.bag)
    _draw_legs(canvas, body, joints, hip, look)
    canvas.limb([body.at(0, hip[1] + 0.05), body.at(0, neck[1] - 0.09)], 0.23 * body.unit, look.shirt)
    canvas.limb([body.at(*neck), body.at(*head)], 0.07 * body.unit, look.skin)
    _draw_hair(canvas, body, head, look)
    canvas.disc(body.at(head[0] + 0.012 * abs(state.facing), head[1] - 0.012), 0.142 * body.unit, look.skin)
    _draw_face(canvas, body, head, state, look, speaking)
    if look.hat:
        _draw_hat(canvas, body, head, look.hat)
    _draw_arms(canvas, body, joints, neck, look, state.hand)
    if state.bubble:
        _draw_bubble(canvas, body.at(0, head[1] + 0.2), state.bubble)


def _bench(canvas: Canvas, foot: Point, s: float, colour: str) -> None:
    x, y = foot
    for dx in (-0.8, 0.8):
        canvas.limb([(x + dx * s, y), (x + dx * s, y - 0.45 * s)], 0.09 * s, INK)
    for dy in (0.45, 0.75, 0.98):
        canvas.limb([(x - s, y - dy * s), (x + s, y - dy * s)], 0.14 * s, colour)


def _table(canvas: Canvas, foot: Point, s: float, colour: str) -> None:
    x, y = foot
    for dx in (-0.85, 0.85):
        canvas.limb([(x + dx * s, y), (x + dx * s, y - 0.6 * s)], 0.1 * s, INK)
    canvas.limb([(x - s, y - 0.62 * s), (x + s, y - 0.62 * s)], 0.14 * s, colour)


def _desk(canvas: Canvas, foot: Point, s: float, colour: str) -> None:
    x, y = foot
    canvas.draw.rectangle((x - s, y - 0.5 * s, x + s, y + s), fill=colour)
    canvas.draw.rectangle((x - s, y - 0.5 * s, x + s, y - 0.42 * s), fill=INK)


def _cake(canvas: Canvas, foot: Point, s: float, colour: str) -> None:
    x, y = foot
    canvas.limb([(x - 0.6 * s, y), (x + 0.6 * s, y)], 0.08 * s, "white")
    canvas.draw.rectangle((x - 0.45 * s, y - 0.5 * s, x + 0.45 * s, y - 0.04 * s), fill="#9c6237")
    canvas.limb([(x - 0.42 * s, y - 0.5 * s), (x + 0.42 * s, y - 0.5 * s)], 0.2 * s, colour)
    canvas.disc((x, y - 0.68 * s), 0.11 * s, "#d8323c")


def _plate(canvas: Canvas, foot: Point, s: float, colour: str) -> None:
    x, y = foot
    canvas.limb([(x - 0.6 * s, y), (x + 0.6 * s, y)], 0.08 * s, "white")
    for dx in (-0.3, 0.05, 0.25):
        canvas.disc((x + dx * s, y - 0.06 * s), 0.04 * s, colour)


def _plant(canvas: Canvas, foot: Point, s: float, colour: str) -> None:
    x, y = foot
    for dx, dy in ((-0.35, 1.0), (0.0, 1.25), (0.35, 1.0)):
        canvas.limb([(x, y - 0.45 * s), (x + dx * s, y - dy * s)], 0.07 * s, "#3f8f45")
        canvas.disc((x + dx * s, y - dy * s), 0.16 * s, colour)
    pot = [(x - 0.3 * s, y - 0.5 * s), (x + 0.3 * s, y - 0.5 * s), (x + 0.2 * s, y), (x - 0.2 * s, y)]
    canvas.draw.polygon(pot, fill="#b5643c")


def _watering_can(canvas: Canvas, foot: Point, s: float, colour: str) -> None:
    x, y = foot
    canvas.limb([(x + 0.2 * s, y - 0.2 * s), (x + 0.75 * s, y - 0.5 * s)], 0.12 * s, colour)
    canvas.draw.rectangle((x - 0.35 * s, y - 0.6 * s, x + 0.3 * s, y), fill=colour)
    for k in range(3):
        drop = (x + (0.85 + 0.1 * k) * s, y - (0.3 - 0.25 * k) * s)
        canvas.disc(drop, 0.06 * s, "#3d7fd0")


def _ball(canvas: Canvas, foot: Point, s: float, colour: str) -> None:
    canvas.disc((foot[0], foot[1] - 0.5 * s), 0.5 * s, colour, INK, 2)


def _bag(canvas: Canvas, foot: Point, s: float, colour: str) -> None:
    x, y = foot
    canvas.disc((x, y - 0.7 * s), 0.25 * s, None, INK, max(2, round(0.07 * s)))
    canvas.draw.rounded_rectangle((x - 0.45 * s, y - 0.7 * s, x + 0.45 * s, y), radius=0.1 * s, fill=colour)


def _gift(canvas: Canvas, foot: Point, s: float, colour: str) -> None:
    x, y = foot
    canvas.draw.rectangle((x - 0.5 * s, y - 0.8 * s, x + 0.5 * s, y), fill=colour)
    canvas.draw.rectangle((x - 0.08 * s, y - 0.8 * s, x + 0.08 * s, y), fill="#ffd75e")
    for dx in (-0.15, 0.15):
        canvas.disc((x + dx * s, y - 0.92 * s), 0.13 * s, None, "#ffd75e", max(2, round(0.07 * s)))


def _open_gift(canvas: Canvas, foot: Point, s: float, colour: str) -> None:
    """A gift without its lid, with balloons that come out of it."""
    x, y = foot
    for dx, dy, balloon in ((-0.45, 2.0, "#e8523f"), (0.0, 2.5, "#f2b632"), (0.45, 2.0, "#4f9be0")):
        canvas.limb([(x, y - 0.5 * s), (x + dx * s, y - dy * s)], 0.03 * s, INK)
        canvas.disc((x + dx * s, y - dy * s), 0.27 * s, balloon)
    canvas.draw.rectangle((x - 0.5 * s, y - 0.8 * s, x + 0.5 * s, y), fill=colour)


def _peel(canvas: Canvas, foot: Point, s: float, colour: str) -> None:
    """A banana skin."""
    x, y = foot
    for dx, dy in ((-0.6, 0.0), (0.6, 0.0), (0.15, 0.55)):
        canvas.limb([(x, y - 0.3 * s), (x + dx * s, y - dy * s)], 0.22 * s, colour)


def _fire(canvas: Canvas, foot: Point, s: float, colour: str) -> None:
    x, y = foot
    for size, fill in ((1.0, colour), (0.68, "#f28c28"), (0.4, "#ffd75e")):
        for dx, dy in ((-0.3, 0.75), (0.0, 1.0), (0.3, 0.75)):
            tip = (x + dx * s * size, y - dy * s * size)
            base = [(x + (dx - 0.25) * s * size, y), (x + (dx + 0.25) * s * size, y)]
            canvas.draw.polygon([*base, tip], fill=fill)


def _flood(canvas: Canvas, foot: Point, s: float, colour: str) -> None:
    """Water over the whole width of the picture."""
    _, y = foot
    canvas.draw.rectangle((0, y - s, canvas.width, y), fill=colour)
    for k in range(9):
        canvas.disc(((k + 0.5) * canvas.width / 9, y - s), 0.12 * s, colour)


PROPS: Mapping[str, Callable[[Canvas, Point, float, str], None]] = {
    "bench": _bench,
    "table": _table,
    "desk": _desk,
    "cake": _cake,
    "plate": _plate,
    "plant": _plant,
    "watering_can": _watering_can,
    "ball": _ball,
    "bag": _bag,
    "gift": _gift,
    "open_gift": _open_gift,
    "peel": _peel,
    "fire": _fire,
    "flood": _flood,
}


def _draw_prop(canvas: Canvas, prop: Prop, t: float) -> None:
    """A thing at its position at ``t``, if it is visible then."""
    if prop.start <= t < prop.end:
        x, y = (interpolate([(point[0], point[axis]) for point in prop.path], t) for axis in (1, 2))
        PROPS[prop.kind](canvas, canvas.pixel(x, y), prop.size * canvas.height, prop.colour)


def _room(canvas: Canvas) -> None:
    canvas.box(0, 0, 1, 1, "#efe3cf")
    canvas.box(0, 0.8, 1, 1, "#c9a67c")
    canvas.box(0.08, 0.12, 0.26, 0.44, "#ffffff")
    canvas.box(0.095, 0.14, 0.245, 0.42, "#bfe0f2")


def _park(canvas: Canvas) -> None:
    canvas.box(0, 0, 1, 1, "#c9e8f7")
    canvas.box(0, 0.72, 1, 1, "#93c572")
    canvas.disc(canvas.pixel(0.9, 0.14), 0.07 * canvas.height, "#ffe27a")
    for x in (0.12, 0.72):
        canvas.box(x - 0.012, 0.5, x + 0.012, 0.74, "#8a6242")
        canvas.disc(canvas.pixel(x, 0.42), 0.15 * canvas.height, "#6fae62")


def _street(canvas: Canvas) -> None:
    canvas.box(0, 0, 1, 1, "#d8e6ee")
    for k, colour in enumerate(("#d9b8a2", "#c4ccb4", "#d8cfa8", "#bcc3d4")):
        canvas.box(0.25 * k, 0.18 + 0.06 * (k % 2), 0.25 * (k + 1), 0.72, colour)
        for column in (0.05, 0.15):
            canvas.box(0.25 * k + column, 0.32, 0.25 * k + column + 0.05, 0.44, "#8fa9b8")
    canvas.box(0, 0.72, 1, 1, "#b9b9bd")


def _office(canvas: Canvas) -> None:
    canvas.box(0, 0, 1, 1, "#dfe8e6")
    canvas.box(0, 0.82, 1, 1, "#a9b3b5")
    canvas.box(0.36, 0.08, 0.64, 0.32, "#ffffff")
    canvas.box(0.04, 0.3, 0.1, 0.82, "#b98d5d")


BACKGROUNDS: Mapping[str, Callable[[Canvas], None]] = {
    "room": _room,
    "park": _park,
    "street": _street,
    "office": _office,
}


@cache
def _background(kind: str, width: int, height: int) -> Image.Image:
    """An empty background in the size in which pictures are drawn; drawn once, copied for every frame."""
    image = Image.new("RGB", (width * OVERSAMPLING, height * OVERSAMPLING))
    BACKGROUNDS[kind](Canvas(image))
    return image


def draw_frame(scene: Scene, size: tuple[int, int], t: float, speaking: Mapping[str, float]) -> Image.Image:
    """The picture of a scene at ``t`` seconds; ``speaking`` has by name how far a person's mouth is open (0 to 1)."""
    canvas = Canvas(_background(scene.background, *size).copy())
    for prop in scene.props:
        if not prop.front:
            _draw_prop(canvas, prop, t)
    for actor in scene.actors:
        draw_actor(canvas, actor, t, speaking.get(actor.name, 0.0))
    for prop in scene.props:
        if prop.front:
            _draw_prop(canvas, prop, t)
    return canvas.image.reduce(OVERSAMPLING)
