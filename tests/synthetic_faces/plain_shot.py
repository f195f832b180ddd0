"""A picture from straight ahead in even light, without blur or noise; tests change what they are about."""

from synthetic_faces.capture import Shot

PLAIN = Shot(
    yaw=0.0,
    pitch=0.0,
    roll=0.0,
    shift=(0.0, 0.0),
    zoom=1.0,
    gaze=(0.0, 0.0),
    lids=0.0,
    key_azimuth=0.2,
    key_elevation=0.5,
    key=0.95,
    fill=0.28,
    ambient=0.28,
    gloss=0.15,
    background=(0.3, 0.0, 0.0),
    blur=0.0,
    noise=0.0,
    seed=5,
)
