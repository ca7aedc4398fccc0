"""The questions of the embedded sample as data: at least two for each of the 15 tasks.

Each question names a clip or recording of ``sample_clips.py``, and what is drawn or said in it answers the question.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """A question about the clip or recording ``about``.

    A question without options asks for a number. With ``multi``, one or more options are right. ``make_sample.py`` adds
    the letters of the options.
    """

    task_type: str
    about: str
    text: str
    answer: int | str
    options: tuple[str, ...] = ()
    multi: bool = False
    time_stamp: str = ""


GESTURES = ("Thumbs up", "Waving", "Pointing to the side", "Victory sign")
ABNORMAL = ("Someone falls", "A fight", "Someone takes the bag of someone else", "A fire", "Nothing abnormal")

QUESTIONS = (
    Question(
        "Action_Recognition",
        "action/clip_01.mp4",
        "What is the person in the park doing",
        "C",
        ("Push-ups", "Riding a bicycle", "Jumping jacks", "Swimming"),
    ),
    Question(
        "Action_Recognition",
        "action/ball.mp4",
        "What does the person in the red shirt do with the ball",
        "B",
        ("Throws it with both hands", "Kicks it to the other person", "Sits on it", "Carries it away"),
    ),
    Question(
        "Emotion_Recognition",
        "emotion/gift.mp4",
        "Which emotion does the person show when the box opens",
        "D",
        ("Anger", "Boredom", "Sadness", "Surprise"),
    ),
    Question(
        "Emotion_Recognition",
        "gesture/clip_01.mp4",
        "How does the person look at the end of the clip",
        "A",
        ("Happy", "Afraid", "Angry", "Sad"),
    ),
    Question(
        "Emotion_Recognition",
        "dialogue/cold.mp4",
        "Which emotion does the face of the person in the green shirt show",
        "B",
        ("Joy", "Anger", "Surprise"),
    ),
    Question("Gesture_Recognition", "gesture/clip_01.mp4", "Which gesture does the person make", "A", GESTURES),
    Question("Gesture_Recognition", "gesture/portrait.mp4", "Which gesture does the person make last", "C", GESTURES),
    Question(
        "Gesture_Recognition",
        "dialogue/first_day.mp4",
        "What do the two people do with their hands when they meet",
        "D",
        ("Clap", "Make a victory sign", "Cross their arms", "Shake hands"),
    ),
    Question(
        "Person_Appearance",
        "gesture/clip_01.mp4",
        "What does the person in the clip wear",
        "A,C",
        ("Glasses", "A yellow scarf", "A red hat", "A blue shirt"),
        multi=True,
    ),
    Question(
        "Person_Appearance",
        "talk/meeting.mp4",
        "Which statements describe the people at the table",
        "ABD",
        (
            "The person on the left wears glasses",
            "The person in the middle wears a blue shirt",
            "All three people wear a hat",
            "The person on the right wears a red shirt",
        ),
        multi=True,
    ),
    Question(
        "Person_Appearance",
        "dialogue/arm.mp4",
        "What does the person on the left have",
        "B,D",
        ("A red hat", "A white coat", "A beard", "Glasses"),
        multi=True,
    ),
    Question("Abnormal_Classification", "abnormal/fall.mp4", "What abnormal event happens in the clip", "A", ABNORMAL),
    Question("Abnormal_Classification", "abnormal/bag.mp4", "What abnormal event happens in the clip", "C", ABNORMAL),
    Question(
        "Complex_Motion",
        "motion/sequence.mp4",
        "In which order does the person move",
        "E",
        (
            "Jumps, walks, squats, runs",
            "Squats, jumps, walks, runs",
            "Runs, squats, jumps, walks",
            "Walks, squats, jumps, runs",
            "Walks, jumps, squats, runs",
        ),
    ),
    Question(
        "Complex_Motion",
        "motion/sequence.mp4",
        "To which side of the picture does the person run at the end",
        "A",
        ("To the left", "To the right"),
    ),
    Question(
        "Complex_Motion",
        "motion/arms.mp4",
        "What does the person do with the arms, in this order",
        "B",
        (
            "Raises them, stretches them to the sides, crosses them",
            "Stretches them to the sides, raises them, crosses them",
            "Crosses them, raises them, stretches them to the sides",
        ),
    ),
    Question("Human_Counting", "count/park.mp4", "How many different people walk through the park?", 4),
    Question("Human_Counting", "count/parade.mp4", "How many different people cross the street?", 10),
    Question("Human_Counting", "count/parade.mp4", "How many different people with a hat cross the street?", "3"),
    Question(
        "Talkingperson_Recognition",
        "talk/meeting.mp4",
        "Who speaks first",
        "B",
        ("The person in the yellow shirt", "The person in the blue shirt", "The person in the red shirt"),
        time_stamp="00:00:02",
    ),
    Question(
        "Talkingperson_Recognition",
        "talk/meeting.mp4",
        "Who says that they will bring the apple juice",
        "C",
        ("The person on the left", "The person in the middle", "The person on the right", "Nobody"),
        time_stamp="00:00:06",
    ),
    Question(
        "Talkingperson_Recognition",
        "dialogue/cold.mp4",
        "Who asks the questions",
        "A",
        ("The person in the orange shirt", "The person in the green shirt"),
    ),
    Question(
        "Familiarity_Recognition",
        "dialogue/first_day.mp4",
        "How well do the two people know each other",
        "A",
        ("They meet for the first time", "They are old friends", "They are brother and sister"),
    ),
    Question(
        "Familiarity_Recognition",
        "dialogue/old_friends.mp4",
        "How well do the two people know each other",
        "C",
        ("They have never met before", "They met yesterday", "They have known each other since they were children"),
    ),
    Question(
        "Lie_Detection",
        "lie/cake.mp4",
        "Does the child tell the truth about the cake",
        "B",
        ("Yes, the child tells the truth", "No, the child lies"),
    ),
    Question(
        "Lie_Detection",
        "lie/plant.mp4",
        "Does the person in the green shirt tell the truth about the plant",
        "A",
        ("Yes, it is the truth", "No, it is a lie"),
    ),
    Question(
        "Relation_Recognition",
        "dialogue/arm.mp4",
        "What is the relation between the two people",
        "D",
        ("Brother and sister", "Teacher and pupil", "Strangers", "Doctor and patient", "Seller and customer"),
    ),
    Question(
        "Relation_Recognition",
        "dialogue/race.mp4",
        "What is the relation between the two people",
        "A",
        ("Parent and child", "Colleagues", "Doctor and patient", "Neighbours"),
    ),
    Question(
        "Relation_Recognition",
        "dialogue/first_day.mp4",
        "What is the relation between the two people",
        "C",
        ("Parent and child", "Husband and wife", "New colleagues", "Singer and audience"),
    ),
    Question(
        "Rapport_Recognition",
        "dialogue/old_friends.mp4",
        "How is the rapport between the two people",
        "A",
        ("High: they are warm and share memories", "Medium: they are polite but distant", "Low: they avoid each other"),
    ),
    Question(
        "Rapport_Recognition",
        "dialogue/cold.mp4",
        "How is the rapport between the two people",
        "C",
        ("High: both enjoy the talk", "Medium: both are polite", "Low: one turns away and wants to be left alone"),
    ),
    Question(
        "Emo_Strategy",
        "dialogue/race.mp4",
        "Which strategy does the parent use to help the child",
        "D",
        (
            "Tells the child that racing does not matter",
            "Changes the subject",
            "Blames the other runners",
            "Accepts the feeling and offers to train together",
        ),
    ),
    Question(
        "Emo_Strategy",
        "dialogue/cold.mp4",
        "What should the person in the orange shirt say next to calm the other one",
        "B",
        (
            "Why are you always like this?",
            "All right, I will leave you some time. We can talk whenever you like.",
            "The film was great, you did not understand it.",
            "Come on, walk with me now!",
        ),
    ),
    Question(
        "Fraud_Recognition",
        "calls/call_01.wav",
        "Is this phone call a fraud",
        "A",
        ("Yes, it is a fraud", "No, it is an ordinary call"),
    ),
    Question(
        "Fraud_Recognition",
        "calls/call_01.wav",
        "What does the caller want",
        "C",
        ("A date for a repair", "An opinion about a bicycle", "The numbers of gift cards", "The way to the station"),
    ),
    Question(
        "Fraud_Recognition",
        "calls/call_02.wav",
        "Is this phone call a fraud",
        "B",
        ("Yes, it is a fraud", "No, it is an ordinary call"),
    ),
    Question(
        "Psychological_Chat",
        "chat/exam.wav",
        "What worries the person who speaks first",
        "B",
        ("A lost key", "An exam", "A quarrel with a sister", "A long journey"),
    ),
    Question(
        "Psychological_Chat",
        "chat/exam.wav",
        "Which reply helps the person best now",
        "D",
        (
            "You should simply sleep.",
            "Exams are easy, do not complain.",
            "I would rather talk about the weather.",
            "Then a short walk this evening may help you again.",
        ),
    ),
    Question(
        "Psychological_Chat",
        "chat/new_town.wav",
        "Which reply helps the person best now",
        "A",
        (
            "You miss that. Shall we look for a music group here?",
            "Nobody likes Fridays.",
            "You should never have moved.",
        ),
    ),
)
