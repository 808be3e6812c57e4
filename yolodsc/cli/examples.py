"""Examples in the help of each command: a command line, and what it does. The tests parse all of them."""

EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "": (
        ("yolodsc detect photo.jpg", "objects in a photograph, with the default network"),
        ("yolodsc detect photos/ --cfg yolov4.cfg --weights yolov4.weights --save found/", "your own network, boxes drawn"),
    ),
    "detect": (
        ("yolodsc detect photos/ --save found/", "all images of a directory, with boxes drawn on copies"),
        ("yolodsc detect photos/ --json - | jq .", "results on standard output"),
        ("yolodsc detect wide.jpg --tiles auto", "small objects in a large image"),
        ("yolodsc detect clip.mp4 --save out/ --track", "a video, with numbered objects"),
        ("yolodsc detect list.txt --parquet found/ --resume", "a long list, continued after an interruption"),
        ("yolodsc detect list.txt --scheduler tcp://HOST:8786", "on the workers of a Dask scheduler"),
    ),
    "evaluate": (
        ("yolodsc evaluate --data obj.data --model mine/", "as Darknet's detector map; also data.yaml, COCO's JSON, directories"),
        ("yolodsc evaluate --voc VOCdevkit/VOC2007 --set test --report out/", "the default network, with a page of its errors"),
        ("yolodsc evaluate --gt labels/ --format yolo --images images/ --model mine/", "your network on YOLO labels"),
        ("yolodsc evaluate --compare a.json b.json", "two networks, with intervals"),
    ),
    "audit": (
        ("yolodsc audit --data obj.data --model mine/ --report out/", "labels that the network contradicts, on a page"),
        ("yolodsc audit --voc VOCdevkit/VOC2007 --set test --csv suspects.csv", "all of them as a table"),
    ),
    "quantize": (("yolodsc quantize --model mine/ --images photos/ --out int8/", "a network in bytes, from unlabelled images"),),
    "decompose": (
        (
            "yolodsc decompose --cfg n.cfg --weights n.weights --images photos/ --out small/ --budget .25",
            "a quarter of the multiplications",
        ),
    ),
    "optimize": (
        ("yolodsc optimize --model mine/ --images photos/ --keep .99 --out fast/", "the fastest network that detects the same"),
        (
            "yolodsc optimize --model mine/ --images photos/ --data obj.data --budget-ms 2 --out fast/",
            "the best within 2 ms, by mAP",
        ),
    ),
    "separate": (("yolodsc separate --model mine/ --layer 4 --images photos/", "the error of one layer by method and rank"),),
    "finetune": (
        (
            "yolodsc finetune --student small/ --teacher big/ --images photos/ --out tuned/",
            "learn from a larger network, without labels",
        ),
        ("yolodsc finetune --student n.cfg n.weights --labels --images train.txt --out tuned/", "learn from Darknet's labels"),
        ("yolodsc finetune --student small/ --teacher big/ --images photos/ --out tuned/ --resume", "go on after Ctrl-C"),
    ),
    "convert": (
        ("yolodsc convert yolov4.cfg yolov4.onnx", "ONNX"),
        ("yolodsc convert yolov4.cfg folded.npz --fold-batch-norm", "one file, without batch norm"),
        ("yolodsc convert dsc-nano-voc small.cfg --size 256", "a shipped network at another size"),
    ),
    "summary": (
        ("yolodsc summary --cfg yolov4.cfg", "layers and their cost"),
        ("yolodsc summary --time --threads 2", "how long each operation takes"),
    ),
    "warmup": (("yolodsc warmup", "compile everything that the shipped networks need"),),
    "bench": (("yolodsc bench --threads 1,2 --peers opencv,onnxruntime", "milliseconds beside other engines"),),
    "anchors": (("yolodsc anchors --data obj.data --count 9 --size 416", "anchors for [yolo] of your dataset"),),
    "completion": (('eval "$(yolodsc completion bash)"', "in ~/.bashrc"),),
}
"""Command lines by subcommand; the empty name is the program."""
