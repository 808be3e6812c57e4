"""Functions of OpenCV that scripts call beside networks: blobs and suppression. OpenCV 4 and 5 have all of them."""

import cv2 as _opencv

blobFromImage = _opencv.dnn.blobFromImage  # noqa: N816 OpenCV's names
blobFromImages = _opencv.dnn.blobFromImages  # noqa: N816
imagesFromBlob = _opencv.dnn.imagesFromBlob  # noqa: N816
NMSBoxes = _opencv.dnn.NMSBoxes
NMSBoxesBatched = _opencv.dnn.NMSBoxesBatched
softNMSBoxes = _opencv.dnn.softNMSBoxes  # noqa: N816
