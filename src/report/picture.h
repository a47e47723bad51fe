#pragma once
// Curves as a picture, drawn by scripts/plot_compare.py in a Python that has matplotlib.
#include "report/align.h"

#include <string>
#include <vector>

namespace steepest::report {

struct PictureStyle {
    Axis axis = Axis::step;
    bool train = false;  // also the training loss, smoothed
    bool log_x = false, log_y = false;
    std::vector<double> targets = {};  // losses marked by a line
};

// What curves_csv made, as a .png, .svg or .pdf by the name of `path`; the file is there whole or not at all. Runs in
// $STEEPEST_PYTHON if that is set, else in the first of python3 and /usr/bin/python3 that has matplotlib.
// Throws InputError for another ending or where there is no such Python (naming the Debian package), StorageError where
// the picture cannot be written, Error(internal) with the script's last words for anything else.
void draw_picture(const std::string& csv, const std::string& path, const PictureStyle& style);

// What learning_rates_csv made: loss against learning rate, one curve an arm. Otherwise as draw_picture.
void draw_learning_rates(const std::string& csv, const std::string& path);

// What page_data made, as one page that needs nothing else, by scripts/html_compare.py in a Python that has plotly.
// Otherwise as draw_picture, plotly for matplotlib.
void write_page(const std::string& json, const std::string& path);

// Throws the InputError of draw_picture for a name it could not draw, before anything is written.
void check_picture_name(const std::string& path);

}  // namespace steepest::report
