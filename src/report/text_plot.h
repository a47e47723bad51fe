#pragma once
// A plot in plain text: curves in a terminal, without any library.
#include "report/limits.h"

#include <span>
#include <string>

namespace steepest::report {

struct TextSeries {
    std::string label;  // written beside the curve's end, and cut where there is no room
    Line line;
};

struct TextPlotStyle {
    int width = 100, height = 20;  // of the whole plot, in terminal cells; at least 40 x 8 is drawn
    bool colour = false;           // ANSI colours
    // Braille dots, 2 x 4 a cell, told apart by colour; otherwise the letters a, b, c, ... for the curves in order.
    bool braille = false;
    std::string x_label = {}, y_label = {};
};

// Lines, the last one ended. Limits as loss_limits says; what lies outside is cut off at the edge.
std::string text_plot(std::span<const TextSeries> series, const TextPlotStyle& style);

}  // namespace steepest::report
