#pragma once
// Curves as a picture, drawn by scripts/plot_compare.py in a Python that has matplotlib.
#include "report/align.h"

#include <string>

namespace steepest::report {

struct PictureStyle {
    Axis axis = Axis::step;
    bool train = false;  // also the training loss, smoothed
};

// What curves_csv made, as a .png, .svg or .pdf by the name of `path`; the file is there whole or not at all. Runs in
// $STEEPEST_PYTHON if that is set, else in the first of python3 and /usr/bin/python3 that has matplotlib.
// Throws InputError for another ending or where there is no such Python (naming the Debian package), StorageError where
// the picture cannot be written, Error(internal) with the script's last words for anything else.
void draw_picture(const std::string& csv, const std::string& path, const PictureStyle& style);

// Throws the InputError of draw_picture for a name it could not draw, before anything is written.
void check_picture_name(const std::string& path);

}  // namespace steepest::report
