"""AWS's command line in one process. It loads awscli once, and runs one command after the other for whoever asks at its
socket: by awscli's own driver, with the words, the environment, the folder and the outputs of the asker. A process for
each command would spend nearly all of its time on loading."""

import json
import os
import socket
import sys
import traceback

import awscli.clidriver

# awscli says there, while it is loaded, where its own files are.
FILES = os.environ["AWS_DATA_PATH"]


def run(driver, request):
    os.chdir(request["dir"])
    os.environ.clear()
    os.environ.update(word.split("=", 1) for word in request["env"])
    os.environ["AWS_DATA_PATH"] = FILES
    sys.argv = ["aws"] + request["words"]
    try:
        return driver.main(request["words"]) or 0
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 255
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def serve(path):
    driver = awscli.clidriver.create_clidriver()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(path)
        server.listen()
        print("ready", flush=True)
        while True:
            asker, _ = server.accept()
            with asker:
                text, outputs, _, _ = socket.recv_fds(asker, 1 << 16, 2)
                while more := asker.recv(1 << 16):
                    text += more
                for number, output in enumerate(outputs, start=1):
                    os.dup2(output, number)
                    os.close(output)
                code = run(driver, json.loads(text))
                for number in (1, 2):  # whoever reads them sees their end
                    os.dup2(nowhere, number)
                asker.sendall(bytes([code & 255]))


serve(sys.argv[1])
