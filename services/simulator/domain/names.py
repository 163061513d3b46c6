"""Invented names, Chinese with English beside. None of them is meant to be a real place or institution."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PLACES: Sequence[tuple[str, str]] = (
    ("云澜", "Yunlan"), ("霁川", "Jichuan"), ("砚溪", "Yanxi"), ("栖梧", "Qiwu"), ("沐泽", "Muze"),
    ("璟湖", "Jinghu"), ("岚亭", "Lanting"), ("渡雪", "Duxue"), ("松霭", "Song'ai"), ("芷汀", "Zhiting"),
    ("鹭桥", "Luqiao"), ("枫隐", "Fengyin"), ("澄渊", "Chengyuan"), ("归雁", "Guiyan"), ("晴岫", "Qingxiu"),
    ("墨香", "Moxiang"), ("棠溪", "Tangxi"), ("望舒", "Wangshu"), ("星浦", "Xingpu"), ("竹屿", "Zhuyu"),
    ("浅塘", "Qiantang Pool"), ("锦萝", "Jinluo"), ("苍梧岭", "Cangwu Ridge"), ("青禾渡", "Qinghe Ferry"),
)  # fmt: skip
QUARTERS: Sequence[tuple[str, str]] = (
    ("东", "East"), ("西", "West"), ("南", "South"), ("北", "North"), ("新", "New"), ("中", "Central"),
)  # fmt: skip
GIVEN: Sequence[tuple[str, str]] = (
    ("安澜", "Anlan"), ("启明", "Qiming"), ("和煦", "Hexu"), ("凌云", "Lingyun"), ("瑞禾", "Ruihe"),
    ("朗月", "Langyue"), ("清和", "Qinghe"), ("远航", "Yuanhang"), ("嘉木", "Jiamu"), ("听涛", "Tingtao"),
    ("长乐坊", "Changle Lane"), ("知行", "Zhixing"), ("百川", "Baichuan"), ("晨曦", "Chenxi"), ("锦程", "Jincheng"),
    ("鸿羽", "Hongyu"), ("金穗", "Jinsui"), ("碧岩", "Biyan"), ("素问", "Suwen"), ("海棠", "Haitang"),
    ("蓝湾", "Lanwan"), ("云图", "Yuntu"), ("星河", "Xinghe"), ("丰泽里", "Fengze Lane"), ("翠微", "Cuiwei"),
)  # fmt: skip
PEOPLE: Sequence[str] = ("林", "陈", "周", "苏", "何", "许", "沈", "唐", "方", "叶", "江", "余")


@dataclass(frozen=True, slots=True)
class Trade:
    """What units of a category are called and how likely each fact is. `weight` is their share of a district."""

    kinds: Sequence[tuple[str, str]]
    weight: int
    key: float
    crowded: float
    flammable: float
    facilities: float


TRADES: Mapping[str, Trade] = {
    "SCHOOL": Trade((("实验小学", "Primary School"), ("中学", "Middle School"), ("幼儿园", "Kindergarten")),
                    18, 0.7, 1.0, 0.0, 0.9),
    "VOCATIONAL": Trade((("技工学校", "Technical School"), ("职业培训学校", "Vocational Training School")),
                        3, 0.6, 1.0, 0.0, 0.9),
    "HOSPITAL": Trade((("医院", "Hospital"), ("社区卫生服务中心", "Community Health Centre"), ("门诊部", "Clinic")),
                      12, 0.8, 1.0, 0.0, 1.0),
    "ELDERLY": Trade((("养老院", "Elderly-care Home"), ("颐养中心", "Care Centre")), 8, 0.7, 1.0, 0.0, 0.9),
    "WELFARE": Trade((("福利院", "Welfare Home"), ("救助站", "Rescue Station")), 2, 0.5, 1.0, 0.0, 0.8),
    "VETERAN": Trade((("光荣院", "Home of Honour"), ("烈士纪念馆", "Martyr Memorial Hall")), 2, 0.5, 0.8, 0.0, 0.8),
    "ENTERTAIN": Trade((("歌舞厅", "Song-and-Dance Hall"), ("网络会所", "Internet Cafe"), ("游艺城", "Game Hall")),
                       8, 0.6, 1.0, 0.0, 0.9),
    "HOTEL_STAR": Trade((("大饭店", "Grand Hotel"), ("国际酒店", "International Hotel")), 6, 0.9, 1.0, 0.0, 1.0),
    "HOTEL_OTHER": Trade((("旅馆", "Guest House"), ("快捷酒店", "Express Inn")), 8, 0.4, 1.0, 0.0, 0.8),
    "SCENIC": Trade((("风景区", "Scenic Area"), ("游客中心", "Visitor Centre")), 3, 0.5, 0.9, 0.0, 0.7),
    "STADIUM": Trade((("体育馆", "Sports Hall"), ("游泳馆", "Swimming Hall")), 3, 0.8, 1.0, 0.0, 1.0),
    "MUSEUM": Trade((("博物馆", "Museum"), ("纪念馆", "Memorial Hall")), 3, 0.9, 0.9, 0.0, 1.0),
    "LIBRARY": Trade((("图书馆", "Library"), ("文化馆", "Cultural Centre")), 3, 0.8, 1.0, 0.0, 1.0),
    "CINEMA": Trade((("电影院", "Cinema"), ("影城", "Film City")), 4, 0.8, 1.0, 0.0, 1.0),
    "RELIGIOUS": Trade((("寺", "Temple"), ("教堂", "Church")), 3, 0.4, 0.8, 0.0, 0.6),
    "COMPLEX": Trade((("商业广场", "Commercial Plaza"), ("城市综合体", "City Complex")), 6, 1.0, 1.0, 0.0, 1.0),
    "SHOP_MARKET": Trade((("百货商场", "Department Store"), ("超市", "Supermarket"), ("农贸市场", "Farmers' Market")),
                         12, 0.6, 1.0, 0.0, 0.9),
    "RESIDENTIAL": Trade((("花园小区", "Garden Compound"), ("公寓", "Residential Tower")), 14, 0.2, 0.0, 0.0, 0.9),
    "CONSTRUCTION": Trade((("项目工地", "Building Site"),), 3, 0.2, 0.0, 0.2, 0.3),
    "NEW_BUILDING": Trade((("新建大厦", "New Tower"), ("新建厂房", "New Plant")), 6, 0.3, 0.4, 0.1, 1.0),
    "GAS": Trade((("燃气门站", "City-Gas Station"), ("液化气站", "LPG Station")), 4, 0.9, 0.0, 1.0, 1.0),
    "CIVIL_EXPLOSIVE": Trade((("民爆器材库", "Civil Explosives Depot"),), 2, 1.0, 0.0, 1.0, 1.0),
    "HAZCHEM": Trade((("加油站", "Filling Station"), ("化工仓库", "Chemical Warehouse")), 7, 0.8, 0.0, 1.0, 0.9),
    "FACTORY": Trade((("制衣厂", "Garment Works"), ("电子厂", "Electronics Works"), ("家具厂", "Furniture Works")),
                     12, 0.5, 0.5, 0.1, 0.8),
    "SOE": Trade((("水务公司", "Water Company"), ("粮库", "Grain Depot")), 3, 0.6, 0.2, 0.2, 0.9),
    "PHARMA": Trade((("药业公司", "Pharmaceutical Company"), ("医疗器械公司", "Medical Device Company")),
                    3, 0.5, 0.1, 0.4, 0.9),
    "SPECIAL_EQUIP": Trade((("锅炉厂", "Boiler Works"), ("电梯厂", "Lift Works")), 2, 0.5, 0.2, 0.3, 0.8),
    "AIR_DEFENCE": Trade((("人防商场", "Underground Mall"), ("人防车库", "Underground Garage")), 3, 0.6, 0.6, 0.0, 0.9),
    "PARK_GREEN": Trade((("公园", "Park"),), 2, 0.2, 0.6, 0.0, 0.4),
    "FOREST": Trade((("林场", "Forest Station"),), 1, 0.3, 0.0, 0.2, 0.3),
    "POWER": Trade((("变电站", "Substation"), ("配电中心", "Distribution Centre")), 4, 0.8, 0.0, 0.4, 1.0),
    "TECH_PARK": Trade((("软件园大厦", "Software Park Tower"), ("孵化中心", "Incubator")), 4, 0.6, 0.4, 0.0, 1.0),
    "RESEARCH": Trade((("研究院", "Research Institute"), ("检测中心", "Testing Centre")), 2, 0.6, 0.2, 0.2, 1.0),
    "TRANSPORT": Trade((("客运站", "Coach Station"), ("码头", "Wharf")), 3, 0.8, 1.0, 0.0, 1.0),
    "BROADCAST_POST": Trade((("邮政中心", "Postal Centre"), ("通信枢纽", "Telecom Hub")), 2, 0.9, 0.1, 0.0, 1.0),
    "OFFICE": Trade((("商务大厦", "Business Tower"), ("银行大楼", "Bank Building")), 9, 0.6, 0.2, 0.0, 1.0),
    "RESTAURANT": Trade((("酒楼", "Restaurant"), ("美食城", "Food Hall")), 7, 0.4, 1.0, 0.1, 0.8),
    "NINE_SMALL": Trade((("小旅馆", "Small Lodging"), ("小商店", "Small Shop"), ("出租屋", "Rented House")),
                        5, 0.0, 0.4, 0.0, 0.2),
}  # fmt: skip
