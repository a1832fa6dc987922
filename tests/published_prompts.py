"""Prompts as the sources of the profiles print them, each with its own placeholder.

Data, copied to the letter: www-Ye/Time-R1 and OpenGVLab/VideoChat-R1 (GROUND_TEMPLATE),
xiaomi-research/time-r1 (type r1), TencentARC/TimeLens (GROUNDER_PROMPT and its prefix),
zjuruizhechen/TVG-R1 (SYSTEM_PROMPT), oceanflowlab/TaRO (PROMPT), tulerfeng/Video-R1
(QUESTION_TEMPLATE, TYPE_TEMPLATE).
"""

TIME_R1 = (
    'To accurately pinpoint the event "[EVENT]" in the video, determine the precise time period of '
    "the event.\n\nOutput your thought process within the <think> </think> tags, including "
    "analysis with either specific time ranges (xx.xx to xx.xx) in <timestep> </timestep> tags."
    "\n\nThen, provide the start and end times (in seconds, precise to two decimal places) in the "
    'format "start time to end time" within the <answer> </answer> tags. For example: '
    '"12.54 to 17.83".'
)
TIMEZERO = TIME_R1.replace(
    "either specific time ranges (xx.xx to xx.xx)",
    "either specific timestamps (xx.xx) or time ranges (xx.xx to xx.xx)",
)
TIMELENS = (
    "Please find the visual event described by the sentence '{}', determining its starting and "
    "ending times. "
    "The format should be: 'The event happens in <start time> - <end time> seconds'."
)
TIMELENS_STAMPED = (
    "You are given a video with multiple frames. "
    "The numbers before each video frame indicate its sampling timestamp (in seconds). "
) + TIMELENS
TVG_R1_SYSTEM = (
    "You FIRST think about the reasoning process in the mind and finally determine the precise "
    "time period related to the query. \n"
    "  The reasoning process MUST BE enclosed within <think> </think> tags. The specific time "
    "period MUST BE in the format [start time, end time] in seconds enclosed within <time> "
    "</time> tags. For example, <think>the reasoning process</think> <time>[5.2, 10.4]</time> "
)
TARO = """To accurately pinpoint the event "{query}" in the video, determine the precise time period of the event.

Output your thought process within the <think> </think> tags, including analysis with either specific time ranges (xx.xx to xx.xx) in <timestep> </timestep> tags.

Then, provide the start and end times (in seconds, precise to two decimal places) in the format "start time to end time" within the <answer> </answer> tags. For example:

<think>
I need to find the specific moment a person eats from a box.
From 0.0s to 5.2s, a person is holding a box of food and talking to the camera, but they are not eating yet.
From 5.3s to 8.1s, the person opens the box and looks inside. Still no eating action.
At 8.2s, the person picks up a piece of food from the box.
From 8.5s to 12.4s, the person puts the food in their mouth and chews while holding the box. This clearly matches "eating from a box."
From 12.5s to 15.0s, the person puts the box down and wipes their mouth. The action has ended.
Therefore, the relevant segment starts when the food approaches the mouth and ends when the chewing action concludes or the box is lowered.
</think>
<answer>
8.50s to 12.40s
</answer>"""  # noqa: E501
VIDEO_R1 = (
    "{Question}\n"
    "Please think about this question as if you were a human pondering deeply. "
    "Engage in an internal dialogue using expressions such as 'let me think', 'wait', 'Hmm', "
    "'oh, I see', 'let's break it down', etc, or other natural language thought expressions "
    "It's encouraged to include self-reflection or verification in the reasoning process. "
    "Provide your detailed reasoning between the <think> and </think> tags, and then give your "
    "final answer between the <answer> and </answer> tags."
)
VIDEO_R1_CHOICE = (
    " Please provide only the single option letter (e.g., A, B, C, D, etc.) within the <answer> "
    "</answer> tags."
)
